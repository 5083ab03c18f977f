//! The account: its region, and the credentials to call it with.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use shared::{aws::http, tls};

use crate::local::LocalCloud;

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The configuration of all clients. Credentials come from the default chain (environment, profile, SSO); on the local
/// cloud, from its state file.
pub(crate) async fn config(region: Option<&str>, profile: Option<&str>, local: Option<&LocalCloud>) -> SdkConfig {
    let http_client = http::client(tls::system_roots(), CONNECT_TIME);
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

/// The region; `us-east-1` where none is configured.
pub(super) fn region(config: &SdkConfig) -> &str {
    config.region().map_or("us-east-1", |region| region.as_ref())
}
