//! STS: whose account it is.

use aws_types::SdkConfig;
use shared::{Timestamp, aws::partition};

use super::{config::region, signed::Signed};
use crate::error::Error;

const ACTION: &str = "find out whose account it is";

/// The account of the operator's credentials
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>; it needs no permission).
pub(crate) async fn account_id(aws: &SdkConfig, now: Timestamp) -> Result<String, Error> {
    let regional = || format!("https://sts.{}.{}", region(aws), partition::domain(region(aws)));
    let host = aws.endpoint_url().map_or_else(regional, |endpoint| endpoint.trim_end_matches('/').to_owned());
    let request = Signed {
        action: ACTION,
        url: &format!("{host}/"),
        service: "sts",
        content_type: "application/x-www-form-urlencoded",
        body: "Action=GetCallerIdentity&Version=2011-06-15".to_owned(),
    };
    let (status, body) = request.post(aws, now).await?;
    let account = account_in(&String::from_utf8_lossy(&body)).filter(|_| status.is_success());
    account.ok_or_else(|| Error::failed(ACTION, format!("STS returned {}; check your credentials", status.as_u16())))
}

fn account_in(xml: &str) -> Option<String> {
    let (_, rest) = xml.split_once("<Account>")?;
    let (account, _) = rest.split_once("</Account>")?;
    account.bytes().all(|byte| byte.is_ascii_digit()).then(|| account.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_in_the_response() {
        let xml = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ada</Arn>\
                   <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
        assert_eq!(account_in(xml).as_deref(), Some("123456789012"));
        assert_eq!(account_in("<Error><Code>InvalidClientTokenId</Code></Error>"), None);
    }
}
