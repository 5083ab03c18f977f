//! AWS, from the operator's side: one file for each service, which turns its errors into ours.

use std::time::Duration;

mod cloudformation;
mod functions;
mod keys;
mod queue;
mod roles;
mod secrets;
mod signed;
mod tables;
mod topics;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
pub use aws_types::SdkConfig;
use serde_json::Value;
use shared::{aws::http::Http1, tls};

pub(crate) use self::{
    functions::{EventSource, Functions, Settings},
    keys::Keys,
    queue::{Letter, Queue},
    roles::Roles,
    secrets::{Presence, SecretsManager},
    signed::SignedRequest,
    tables::{Attempts, Deleted, Tokens},
    topics::{Subscriptions, Topics},
};
use crate::{error::Error, local::LocalCloud};

pub(crate) use self::cloudformation::find_stack;

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The operator's own credentials, as every AWS tool finds them; on the local cloud, its own.
pub(crate) async fn config(region: Option<&str>, profile: Option<&str>, local: Option<&LocalCloud>) -> SdkConfig {
    let http_client = Http1::new(tls::systems_roots(), CONNECT_TIME).for_sdk();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client);
    if let Some(local) = local {
        let keys = Credentials::new(&local.access_key_id, &local.secret_access_key, None, None, "local cloud");
        loader =
            loader.endpoint_url(&local.endpoint).region(Region::new(local.region.clone())).credentials_provider(keys);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

fn region(config: &SdkConfig) -> &str {
    config.region().map_or("us-east-1", |region| region.as_ref())
}

/// The statements of a policy.
fn statements(policy: &str) -> Result<Vec<Value>, Error> {
    let mut document: Value =
        serde_json::from_str(policy).map_err(|_| Error::failed("read a policy", "it is not JSON"))?;
    Ok(match document["Statement"].take() {
        Value::Array(several) => several,
        Value::Null => Vec::new(),
        one => vec![one],
    })
}
