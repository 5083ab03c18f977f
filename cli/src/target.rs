//! The stack that a command is about, and the account it is in.

use reqwest::Url;

use crate::{
    args::TargetArgs,
    aws::{self, SdkConfig},
    error::Error,
    local::{self, LocalCloud},
    samconfig::{FILE, PROFILE, REGION, STACK_NAME, SamConfig, in_or_above},
    stack::{Stack, check_name},
};

/// A deployed stack and the account it is in.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) aws: SdkConfig,
    pub(crate) stack: Stack,
}

impl Target {
    pub(crate) async fn open(args: &TargetArgs) -> Result<Self, Error> {
        let args = completed(args)?;
        let name = stack_name(&args)?;
        let aws = account(&args).await?;
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

/// The stack's name, once [`completed`] has looked for it.
pub(crate) fn stack_name(args: &TargetArgs) -> Result<String, Error> {
    let unnamed = || {
        let why = match in_or_above(FILE) {
            Some(file) => format!("{} has none for {}", file.display(), args.environment()),
            None => format!("or run wasf in a folder with {FILE}"),
        };
        Error::Usage(format!("no stack name; give --stack-name ({why})"))
    };
    args.stack_name.clone().ok_or_else(unnamed)
}

/// The arguments, with what they leave open filled in as the SAM CLI does it: stack, region and profile are those of
/// `samconfig.toml`, of the environment that is named; what is not there either is the shell's. The local cloud has its
/// own. A stack that is named without an environment is looked for where the shell points, whatever the file says.
pub(crate) fn completed(args: &TargetArgs) -> Result<TargetArgs, Error> {
    let mut args = args.clone();
    if args.local {
        args.stack_name.get_or_insert_with(|| local::STACK.to_owned());
        return Ok(args);
    }
    if args.stack_name.is_some() && args.config_env.is_none() {
        return Ok(args);
    }
    if let Some(file) = in_or_above(FILE) {
        args.complete(&SamConfig::read(&file, args.environment())?)?;
    } else if args.config_env.is_some() {
        return Err(Error::Usage(format!("no {FILE} in this folder or above it; --config-env names a part of it")));
    }
    Ok(args)
}

impl TargetArgs {
    fn complete(&mut self, config: &SamConfig) -> Result<(), Error> {
        for (given, name) in
            [(&mut self.stack_name, STACK_NAME), (&mut self.region, REGION), (&mut self.profile, PROFILE)]
        {
            if given.is_none() {
                *given = config.text(name).map(str::to_owned);
            }
        }
        let invalid = |why| Error::Usage(format!("{STACK_NAME} in {FILE} is invalid: {why}"));
        self.stack_name.as_deref().map_or(Ok(()), check_name).map_err(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    const FILE_TEXT: &str = "[prod.global.parameters]\nstack_name = \"connect\"\nregion = \"eu-west-1\"\n\n\
                             [prod.deploy.parameters]\nprofile = \"live\"\n";

    fn args(stack_name: Option<&str>, region: Option<&str>) -> TargetArgs {
        TargetArgs {
            config_env: Some("prod".to_owned()),
            stack_name: stack_name.map(str::to_owned),
            region: region.map(str::to_owned),
            profile: None,
            local: false,
            local_state: None,
        }
    }

    #[test]
    fn an_environment_says_which_stack_it_is_and_in_which_account() {
        let mut target = args(None, None);
        target.complete(&SamConfig::parse(FILE_TEXT, target.environment()).unwrap()).unwrap();
        assert_eq!(stack_name(&target).unwrap(), "connect");
        assert_eq!((target.region.as_deref(), target.profile.as_deref()), (Some("eu-west-1"), Some("live")));
    }

    #[test]
    fn what_is_given_goes_before_what_the_file_says() {
        let mut target = args(Some("other"), Some("us-east-1"));
        target.complete(&SamConfig::parse(FILE_TEXT, target.environment()).unwrap()).unwrap();
        assert_eq!((stack_name(&target).unwrap().as_str(), target.region.as_deref()), ("other", Some("us-east-1")));
    }

    #[test]
    fn a_name_in_the_file_that_no_stack_can_have_is_a_usage_error() {
        let text = "[prod.global.parameters]\nstack_name = \"bad name\"\n";
        let error = args(None, None).complete(&SamConfig::parse(text, "prod").unwrap()).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(
            error.to_string().starts_with("stack_name in samconfig.toml is invalid: not a stack's name"),
            "{error}"
        );
    }

    #[test]
    fn only_an_endpoint_on_this_machine_is_a_local_cloud() {
        assert_eq!(local_port("http://127.0.0.1:4566"), Some(4566));
        assert_eq!(local_port("http://localhost:4566/"), Some(4566));
        assert_eq!(local_port("https://vpce-1.cloudformation.eu-west-1.vpce.amazonaws.com"), None);
        assert_eq!(local_port("not a URL"), None);
    }
}
