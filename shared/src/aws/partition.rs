//! AWS's partitions, as far as a client needs them: under which domain a region's endpoints are.

/// The partitions whose endpoints are not under [`DEFAULT_DOMAIN`], by the prefix of their regions.
const OTHERS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
];

/// The domain of the commercial regions and of the `us-gov-` ones.
pub(super) const DEFAULT_DOMAIN: &str = "amazonaws.com";

/// The domain of AWS's endpoints in a region, such as `amazonaws.com.cn` in `cn-north-1`.
///
/// The SDK has the same table (`partitions.json`) and does not export it; a test compares the two.
#[must_use]
pub fn domain(region: &str) -> &'static str {
    OTHERS.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or(DEFAULT_DOMAIN, |(_, domain)| domain)
}

/// The URL of a service in a region.
#[must_use]
pub(super) fn endpoint(service: &str, region: &str) -> String {
    format!("https://{service}.{region}.{}", domain(region))
}

#[cfg(all(test, feature = "bot"))]
pub(super) mod tests {
    use aws_sdk_sqs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};

    use super::*;

    pub(in crate::aws) const REGIONS: [&str; 9] = [
        "us-east-1",
        "ap-southeast-4",
        "us-gov-west-1",
        "cn-north-1",
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "us-isof-south-1",
        "eu-isoe-west-1",
    ];

    #[tokio::test]
    async fn a_regions_domain_is_the_one_that_the_sdk_uses() {
        for region in REGIONS {
            let params = Params::builder().region(region).build().unwrap();
            let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
            assert_eq!(endpoint.url(), format!("https://sqs.{region}.{}", domain(region)));
        }
    }
}
