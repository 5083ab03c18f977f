//! The account: its region, and the credentials to call it with.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region,
    profile::{ProfileFileCredentialsProvider, credentials::Builder},
    provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider, error::CredentialsError},
};
use aws_types::SdkConfig;
use shared::{aws::http, tls};

use crate::{error::Error, local::LocalCloud};

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The configuration of all clients. Credentials come from the default chain (environment, profile, SSO), with
/// `--profile` from that profile alone, and on the local cloud from its state file.
pub(crate) async fn config(
    region: Option<&str>,
    profile: Option<&str>,
    local: Option<&LocalCloud>,
) -> Result<SdkConfig, Error> {
    let http_client = http::client(tls::system_roots(), CONNECT_TIME);
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client.clone());
    if let Some(local) = local {
        let keys = Credentials::new(&local.access_key_id, &local.secret_access_key, None, None, "local cloud");
        loader =
            loader.endpoint_url(&local.endpoint).region(Region::new(local.region.clone())).credentials_provider(keys);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let Some(profile) = profile else { return Ok(loader.load().await) };
    let config = loader.profile_name(profile).load().await;
    let provider = ProviderConfig::without_region().with_http_client(http_client).with_region(config.region().cloned());
    let files = ProfileFileCredentialsProvider::builder().configure(&provider);
    Ok(config.into_builder().credentials_provider(of_profile(files, profile).await?).build())
}

/// The credentials of this profile alone. In the SDK's default chain those of the environment would come first, and an
/// unknown profile would be passed over.
async fn of_profile(files: Builder, profile: &str) -> Result<SharedCredentialsProvider, Error> {
    let provider = files.profile_name(profile).build();
    let failed = |error: CredentialsError| {
        let why = std::error::Error::source(&error).map(ToString::to_string);
        let why = why.unwrap_or_else(|| "it does not exist, or has no credentials".to_owned());
        let known = "aws configure list-profiles shows those that exist";
        Error::failed(format!("use the profile {profile}"), format!("{why}; {known}"))
    };
    provider.provide_credentials().await.map_err(failed)?;
    Ok(SharedCredentialsProvider::new(provider))
}

/// The region; `us-east-1` where none is configured.
pub(crate) fn region(config: &SdkConfig) -> &str {
    config.region().map_or("us-east-1", |region| region.as_ref())
}

#[cfg(test)]
mod tests {
    #![expect(deprecated, reason = "where the SDK has moved these types to is no dependency of ours")]

    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};

    use super::*;

    async fn key_of(profile: &str) -> Result<String, Error> {
        let text = "[profile prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = s\n[profile bare]\nregion = eu-west-1\n";
        let files = ProfileFiles::builder().with_contents(ProfileFileKind::Config, text).build();
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(
                &ProviderConfig::without_region().with_http_client(http::client(tls::system_roots(), CONNECT_TIME)),
            )
            .profile_files(files);
        let credentials = of_profile(provider, profile).await?.provide_credentials().await.unwrap();
        Ok(credentials.access_key_id().to_owned())
    }

    #[tokio::test]
    async fn a_profiles_credentials_come_from_the_profile_alone() {
        assert_eq!(key_of("prod").await.unwrap(), "AKIAPROD");
    }

    #[tokio::test]
    async fn a_profile_that_is_unknown_or_has_no_credentials_is_an_error() {
        for profile in ["nope", "bare"] {
            let error = key_of(profile).await.unwrap_err().to_string();
            assert!(error.starts_with(&format!("cannot use the profile {profile}: ")), "{error}");
        }
    }
}
