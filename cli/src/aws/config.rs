//! Where the account is, and as whom it is asked.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use shared::{aws::http, tls};

use crate::local::LocalCloud;

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The operator's own credentials, as every AWS tool finds them; on the local cloud, its own.
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

/// The region of these credentials.
pub(super) fn region(config: &SdkConfig) -> &str {
    config.region().map_or("us-east-1", |region| region.as_ref())
}
