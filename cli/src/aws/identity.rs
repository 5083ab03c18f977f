//! STS: whose account it is.

use std::time::Duration;

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use aws_types::SdkConfig;
use shared::Timestamp;

use super::signed::{Answer, Signed, base_url};
use crate::error::Error;

const ACTION: &str = "find out whose account it is";

/// The account of the operator's credentials
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>; it needs no permission).
pub(crate) async fn account_id(aws: &SdkConfig, now: Timestamp) -> Result<String, Error> {
    let Answer { status, body, foreign, .. } = ask(aws, now).await?;
    if let Some(why) = foreign {
        return Err(Error::of_code(ACTION, "GetCallerIdentity", &why));
    }
    let account = account_in(&String::from_utf8_lossy(&body)).filter(|_| status.is_success());
    account.ok_or_else(|| Error::failed(ACTION, format!("STS returned {}; check your credentials", status.as_u16())))
}

/// How far this machine's clock is from AWS's; nothing where AWS does not say.
pub(crate) async fn clock_error(aws: &SdkConfig, now: Timestamp) -> Option<Duration> {
    let answer = ask(aws, now).await.ok().filter(|answer| answer.foreign.is_none())?;
    difference(&answer.date?, now)
}

async fn ask(aws: &SdkConfig, now: Timestamp) -> Result<Answer, Error> {
    let request = Signed {
        action: ACTION,
        url: &format!("{}/", base_url(aws, "STS", "sts")),
        service: "sts",
        content_type: "application/x-www-form-urlencoded",
        target: None,
        body: "Action=GetCallerIdentity&Version=2011-06-15".to_owned(),
    };
    request.post(aws, now).await
}

fn difference(date: &str, now: Timestamp) -> Option<Duration> {
    let theirs = DateTime::from_str(date, DateTimeFormat::HttpDate).ok()?.to_millis().ok()?;
    Some(Duration::from_millis(u64::try_from(theirs).ok()?.abs_diff(now.millis())))
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
    fn a_clock_is_compared_with_that_of_aws() {
        let now = Timestamp::from_seconds(1_790_000_000);
        assert_eq!(difference("Mon, 21 Sep 2026 14:13:50 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(difference("Mon, 21 Sep 2026 14:12:50 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(difference("yesterday", now), None);
    }

    #[test]
    fn the_account_is_in_the_response() {
        let xml = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ada</Arn>\
                   <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
        assert_eq!(account_in(xml).as_deref(), Some("123456789012"));
        assert_eq!(account_in("<Error><Code>InvalidClientTokenId</Code></Error>"), None);
    }
}
