//! DynamoDB for the writes that the functions make too: by the same rules, through the same adapter.

use aws_types::SdkConfig;
use shared::aws::{Service, dynamodb};

use super::signed::base_url;

/// DynamoDB, at the endpoint that the operator's settings ask for.
pub(super) fn writes(aws: &SdkConfig) -> Service {
    dynamodb::service(&aws.to_builder().endpoint_url(base_url(aws, "DynamoDB", "dynamodb")).build())
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
    use aws_types::region::Region;

    use super::*;

    #[tokio::test]
    async fn writes_go_to_the_endpoint_that_the_sdk_reads_from() {
        for region in ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1"] {
            for (fips, dual_stack) in [(false, false), (true, false), (false, true), (true, true)] {
                let params = Params::builder().region(region).use_fips(fips).use_dual_stack(dual_stack);
                let resolver = DefaultResolver::new();
                let sdks = resolver.resolve_endpoint(&params.build().unwrap()).await.unwrap();
                let mut aws = SdkConfig::builder().region(Region::new(region));
                aws.set_use_fips(Some(fips)).set_use_dual_stack(Some(dual_stack));
                assert_eq!(base_url(&aws.build(), "DynamoDB", "dynamodb"), sdks.url(), "{region} {fips} {dual_stack}");
            }
        }
    }
}
