//! The stack that a command is about, and the account it is in.

use reqwest::Url;

use crate::{
    args::TargetArgs,
    aws::{self, SdkConfig},
    error::Error,
    local::{self, LocalCloud},
    samconfig::{FILE, SamConfig, in_or_above},
    stack::Stack,
};

/// A deployed stack and the account it is in.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) aws: SdkConfig,
    pub(crate) stack: Stack,
}

impl Target {
    pub(crate) async fn open(args: &TargetArgs) -> Result<Self, Error> {
        let name = stack_name(args)?;
        let aws = account(args).await?;
        let stack = aws::find_stack(&aws, &name).await?;
        Ok(Self { aws, stack })
    }

    /// A URL of the stack's own API. The local cloud's domains do not resolve; there the API is under `localhost`, on
    /// the endpoint's port.
    pub(crate) fn own_url(&self, path: &str) -> Result<String, Error> {
        if let Some(port) = self.aws.endpoint_url().and_then(local_port) {
            return Ok(format!("http://{}.execute-api.localhost:{port}{path}", self.stack.output("ApiId")?));
        }
        let links_url = self.stack.output("LinksUrl")?;
        Ok(format!("{}{path}", links_url.strip_suffix("/links").unwrap_or(links_url)))
    }
}

/// The port of an endpoint on this machine. Elsewhere it is one of AWS's, as for a VPC, and the API has its own name.
fn local_port(endpoint: &str) -> Option<u16> {
    let url = Url::parse(endpoint).ok()?;
    let host = url.host_str()?;
    let is_local = host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]";
    url.port_or_known_default().filter(|_| is_local)
}

/// The account of the operator's credentials, or the local cloud.
pub(crate) async fn account(args: &TargetArgs) -> Result<SdkConfig, Error> {
    let local = if args.local { Some(LocalCloud::find(args.local_state.as_deref())?) } else { None };
    aws::config(args.region.as_deref(), args.profile.as_deref(), local.as_ref()).await
}

/// The stack's name: from the command line, the local cloud's, or from `samconfig.toml`.
pub(crate) fn stack_name(args: &TargetArgs) -> Result<String, Error> {
    if let Some(name) = &args.stack_name {
        return Ok(name.clone());
    }
    if args.local {
        return Ok(local::STACK.to_owned());
    }
    let unnamed = || Error::Usage(format!("no stack name; give --stack-name, or run wasf in a folder with {FILE}"));
    let config = SamConfig::read(&in_or_above(FILE).ok_or_else(unnamed)?)?;
    config.stack_name().map(str::to_owned).ok_or_else(unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endpoint_on_this_machine_is_a_local_cloud() {
        assert_eq!(local_port("http://127.0.0.1:4566"), Some(4566));
        assert_eq!(local_port("http://localhost:4566/"), Some(4566));
        assert_eq!(local_port("https://vpce-1.cloudformation.eu-west-1.vpce.amazonaws.com"), None);
        assert_eq!(local_port("not a URL"), None);
    }
}
