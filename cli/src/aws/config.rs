//! The account: its region, and the credentials to call it with.

use std::{panic, sync::Once};

use aws_config::{
    BehaviorVersion, Region,
    credential_process::CredentialProcessProvider,
    profile::{ProfileFileCredentialsProvider, credentials::Builder},
    provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError},
};
use aws_types::{SdkConfig, service_config::ServiceConfigKey};

use reqwest::Url;

use super::http;
use crate::{Variable, args::quotable, error::Error, local::LocalCloud};

/// The configuration of all clients. Credentials come from the default chain (environment, profile, SSO), with
/// `--profile` from that profile alone, and on the local cloud from its state file. What is missing is said before the
/// first call.
pub(crate) async fn config(
    region: Option<&str>,
    profile: Option<&str>,
    local: Option<&LocalCloud>,
) -> Result<SdkConfig, Error> {
    let http_client = http::client()?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client.clone());
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
    // The SDK panics at retry settings of a profile that it does not know.
    do_not_print_panics_of_loading();
    let config = tokio::spawn(LOADING.scope((), async move { loader.load().await })).await.map_err(|error| {
        let panic = error.try_into_panic().ok().and_then(|panic| panic.downcast::<String>().ok());
        Error::failed(
            "use the AWS configuration",
            panic.map_or_else(|| "invalid settings".to_owned(), |why| before_debug(&why)),
        )
    })?;
    check_region(config.region().map(AsRef::as_ref))?;
    let provider = match profile {
        Some(profile) => {
            let provider = ProviderConfig::without_region().with_http_client(http_client);
            let provider = provider.with_region(config.region().cloned());
            of_profile(ProfileFileCredentialsProvider::builder().configure(&provider), profile).await?
        }
        None => match config.credentials_provider() {
            Some(provider) => tried(provider, None).await?,
            None => return Err(no_credentials(None, None)),
        },
    };
    Ok(config.into_builder().credentials_provider(provider).build())
}

tokio::task_local! {
    /// Is there while the SDK loads the configuration.
    static LOADING: ();
}

/// Panics while the SDK loads the configuration become an error, which is printed; all others are printed as before.
fn do_not_print_panics_of_loading() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if LOADING.try_with(|()| ()).is_err() {
                print(panic);
            }
        }));
    });
}

/// What the SDK's panic says, in one line, without the error as programs see it.
fn before_debug(panic: &str) -> String {
    let said = panic.split(" (EnvConfigError").next().unwrap_or_default();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A region can be part of a host's name. Which there are only AWS knows.
fn check_region(region: Option<&str>) -> Result<(), Error> {
    let is_name = |region: &str| region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match region.filter(|region| !region.is_empty()) {
        Some(region) if is_name(region) => Ok(()),
        Some(region) => Err(Error::Usage(format!("{:?} is no region; give one such as us-east-1", quotable(region)))),
        None => Err(Error::failed("find the region", "none is configured; give --region, or set AWS_REGION")),
    }
}

/// Checks what the SDK panics at, or complains of without its name.
pub(crate) fn check_environment(variable: Variable) -> Result<(), Error> {
    let invalid = |name: &str, why: &str| Error::Usage(format!("{name} in the environment is invalid: {why}"));
    if variable("AWS_MAX_ATTEMPTS").is_some_and(|number| !number.parse::<u32>().is_ok_and(|number| number > 0)) {
        return Err(invalid("AWS_MAX_ATTEMPTS", "not a number from 1"));
    }
    let known = ["standard", "adaptive"];
    if variable("AWS_RETRY_MODE").is_some_and(|mode| !known.contains(&mode.trim().to_lowercase().as_str())) {
        return Err(invalid("AWS_RETRY_MODE", "wasf knows standard and adaptive"));
    }
    let is_url =
        |url: &str| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if variable("AWS_ENDPOINT_URL").is_some_and(|url| !is_url(&url)) {
        return Err(invalid("AWS_ENDPOINT_URL", "not a URL, such as https://vpce.example.com"));
    }
    Ok(())
}

/// The credentials of this profile alone. In the SDK's default chain those of the environment would come first, and an
/// unknown profile would be passed over.
async fn of_profile(files: Builder, profile: &str) -> Result<SharedCredentialsProvider, Error> {
    tried(files.profile_name(profile).build(), Some(profile)).await
}

/// A provider that gives credentials.
async fn tried(
    provider: impl ProvideCredentials + 'static,
    profile: Option<&str>,
) -> Result<SharedCredentialsProvider, Error> {
    let provider = match provider.provide_credentials().await {
        Ok(_) => return Ok(SharedCredentialsProvider::new(provider)),
        Err(error) if is_of_aws_login(&error) => CredentialProcessProvider::new(export(profile)?),
        Err(error) => return Err(no_credentials(Some(&error), profile)),
    };
    provider.provide_credentials().await.map_err(|error| {
        let why = format!("it is a session of aws login, which wasf has the AWS CLI read: {}", of_the_cli(&error));
        Error::failed(profile.map_or_else(|| "find AWS credentials".to_owned(), of), why)
    })?;
    Ok(SharedCredentialsProvider::new(provider))
}

/// Why the AWS CLI gave no credentials: mostly in its own words, which say what to do.
fn of_the_cli(error: &CredentialsError) -> String {
    let said = in_words(error);
    // There is no shell, no command, or one without sessions, which explains how it is used.
    let is_missing = ["os error 2)", "exit status: 127", "usage:"].iter().any(|sign| said.contains(sign));
    if is_missing { "there is no AWS CLI of version 2.32 or newer on the PATH".to_owned() } else { said }
}

/// Whether the profile, or one that it builds on, is a session of `aws login`. The SDK reads those only with a client of
/// its own for the sign-in service; the AWS CLI made the session, so it is there to read it.
fn is_of_aws_login(error: &CredentialsError) -> bool {
    causes(error).any(|cause| cause.to_string().contains("credentials-login"))
}

/// The command that prints a profile's credentials
/// (<https://docs.aws.amazon.com/cli/latest/reference/configure/export-credentials.html>).
fn export(profile: Option<&str>) -> Result<String, Error> {
    let quoted = profile.map(shlex::try_quote).transpose();
    let quoted = quoted.map_err(|_| Error::Usage("the profile's name holds a NUL".to_owned()))?;
    let profile = quoted.map(|name| format!(" --profile {name}")).unwrap_or_default();
    Ok(format!("aws configure export-credentials{profile} --format process"))
}

fn causes(error: &CredentialsError) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
}

fn in_words(error: &CredentialsError) -> String {
    causes(error).map(|cause| cause.to_string().trim().to_owned()).collect::<Vec<_>>().join(": ")
}

/// What fails with a profile.
fn of(profile: &str) -> String {
    format!("use the profile {}", quotable(profile))
}

/// Why there are no credentials, and what to do.
fn no_credentials(error: Option<&CredentialsError>, profile: Option<&str>) -> Error {
    let why = error.map(in_words).unwrap_or_default();
    let is_missing = why.is_empty() || matches!(error, Some(CredentialsError::CredentialsNotLoaded(_)));
    let of_profile = profile.map(|profile| format!(" --profile {profile}")).unwrap_or_default();
    let is_sso = ["SSO", "sso/cache", "sso\\cache"].iter().any(|sign| why.contains(sign));
    let login = if is_sso { format!("; run aws sso login{of_profile}") } else { String::new() };
    let Some(profile) = profile else {
        let none = "neither the environment nor the profile (AWS_PROFILE, or default) has any";
        let why = if is_missing { none.to_owned() } else { format!("{why}{login}") };
        let all = "run aws configure, aws login or aws sso login, or give --profile";
        return Error::failed("find AWS credentials", format!("{why}; {all}"));
    };
    let why = if why.is_empty() { "it does not exist, or has no credentials".to_owned() } else { why };
    let known = "aws configure list-profiles shows those that exist";
    Error::failed(of(profile), format!("{why}{login}; {known}"))
}

/// The region; `us-east-1` where none is configured.
pub(crate) fn region(config: &SdkConfig) -> &str {
    config.region().map_or("us-east-1", |region| region.as_ref())
}

/// The endpoint that the environment or the profile gives a service, or all services, as the SDK's clients find it: for
/// calls without a client.
pub(super) fn endpoint(config: &SdkConfig, service_id: &str) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id(service_id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = key.ok().and_then(|key| config.service_config()?.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    #![expect(deprecated, reason = "where the SDK has moved these types to is no dependency of ours")]

    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};

    use super::*;

    async fn key_of(profile: &str) -> Result<String, Error> {
        let text = "[profile prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = s\n\
                    [profile bare]\nregion = eu-west-1\n\
                    [profile process]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"AKIAPROCESS\", \
                    \"SecretAccessKey\": \"s\"}'\n\
                    [profile broken]\ncredential_process = echo no token >&2; exit 3\n\
                    [profile legacy]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n\
                    sso_account_id = 123456789012\nsso_role_name = ops\n\
                    [profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = ops\n\
                    [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n";
        let files = ProfileFiles::builder().with_contents(ProfileFileKind::Config, text).build();
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&ProviderConfig::without_region().with_http_client(http::client()?))
            .profile_files(files);
        let credentials = of_profile(provider, profile).await?.provide_credentials().await.unwrap();
        Ok(credentials.access_key_id().to_owned())
    }

    #[tokio::test]
    async fn a_profiles_credentials_come_from_the_profile_alone() {
        assert_eq!(key_of("prod").await.unwrap(), "AKIAPROD");
    }

    #[tokio::test]
    async fn a_profiles_credentials_come_from_its_process() {
        assert_eq!(key_of("process").await.unwrap(), "AKIAPROCESS");
        let error = key_of("broken").await.unwrap_err().to_string();
        assert!(error.contains("no token"), "{error}");
    }

    #[tokio::test]
    async fn an_sso_profile_without_a_session_says_how_to_log_in() {
        for profile in ["sso", "legacy"] {
            let error = key_of(profile).await.unwrap_err().to_string();
            assert!(error.contains(&format!("run aws sso login --profile {profile}")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_profile_that_is_unknown_or_has_no_credentials_is_an_error() {
        for profile in ["nope", "bare"] {
            let error = key_of(profile).await.unwrap_err().to_string();
            assert!(error.starts_with(&format!("cannot use the profile {profile}: ")), "{error}");
        }
    }

    #[test]
    fn a_region_that_is_no_name_is_refused() {
        assert!(check_region(Some("eu-west-1")).is_ok());
        for none in [None, Some("")] {
            assert!(check_region(none).unwrap_err().to_string().contains("none is configured"));
        }
        assert_eq!(
            check_region(Some("us east")).unwrap_err().to_string(),
            "\"us east\" is no region; give one such as us-east-1"
        );
    }

    #[test]
    fn the_aws_cli_is_asked_for_one_profile_whatever_its_name() {
        assert_eq!(export(None).unwrap(), "aws configure export-credentials --format process");
        let quoted = export(Some("a b; rm -rf /")).unwrap();
        assert_eq!(quoted, "aws configure export-credentials --profile 'a b; rm -rf /' --format process");
    }
}
