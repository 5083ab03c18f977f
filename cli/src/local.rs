//! The local cloud, as its state file describes it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{error::Error, samconfig::in_or_above};

const STATE: &str = ".local/cloud/state.json";
/// What `make up` runs, which every checkout has.
const STARTS_IT: &str = "tests/local_cloud/cloud.py";
/// The stack that `make up` deploys.
pub(crate) const STACK: &str = "main";

/// The local cloud's endpoint and credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalCloud {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

#[derive(Deserialize)]
struct State {
    endpoint: String,
    region: String,
    credentials: Credentials,
}

#[derive(Deserialize)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
}

impl LocalCloud {
    /// Reads the state file: this one, or that of the current checkout.
    pub(crate) fn find(file: Option<&Path>) -> Result<Self, Error> {
        let failed = |why: &str| Error::failed("find the local cloud", why);
        let down = || failed("it is not running; start it with `make up`");
        let elsewhere =
            || failed("no checkout in this folder or above it; run wasf --local in the one where `make up` was run");
        let file: PathBuf = match file {
            Some(file) => file.to_owned(),
            None => {
                in_or_above(STATE).ok_or_else(|| if in_or_above(STARTS_IT).is_some() { down() } else { elsewhere() })?
            }
        };
        Self::parse(&fs::read_to_string(file).map_err(|_| down())?)
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let State { endpoint, region, credentials } = serde_json::from_str(text)
            .map_err(|_| Error::failed("read the local cloud's state", "invalid format; restart it with `make up`"))?;
        let Credentials { access_key_id, secret_access_key } = credentials;
        Ok(Self { endpoint, region, access_key_id, secret_access_key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_where_the_local_cloud_is() {
        let state = r#"{"endpoint":"http://127.0.0.1:4566","region":"us-east-1","stacks":{},
                        "credentials":{"access_key_id":"id","secret_access_key":"key"}}"#;
        let cloud = LocalCloud::parse(state).unwrap();
        assert_eq!((cloud.endpoint.as_str(), cloud.region.as_str()), ("http://127.0.0.1:4566", "us-east-1"));
        assert_eq!(
            LocalCloud::parse("{}").unwrap_err().to_string(),
            "cannot read the local cloud's state: invalid format; restart it with `make up`"
        );
    }
}
