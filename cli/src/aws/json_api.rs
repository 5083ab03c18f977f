//! AWS's JSON protocol, for the services that `wasf` asks a question or two each: CloudWatch, CloudWatch Logs and `EventBridge`.
//! Their SDKs would be the larger part of its build.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>

use std::time::Duration;

use aws_types::SdkConfig;
use reqwest::StatusCode;
use serde_json::Value;
use shared::timestamp::Clock;

use super::signed::{Answer, Signed, base_url};
use crate::error::Error;

/// How often a call is made that AWS refuses for now.
const TRIES: u32 = 4;
/// The pause after the first try, which doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// A service, as its API model names it.
#[derive(Debug)]
pub(super) struct Service {
    /// In its host's name and in signatures.
    name: &'static str,
    /// In settings: `AWS_ENDPOINT_URL_CLOUDWATCH`.
    id: &'static str,
    /// Before the operation in `X-Amz-Target`.
    target: &'static str,
    content_type: &'static str,
}

pub(super) const CLOUDWATCH: Service = Service {
    name: "monitoring",
    id: "CloudWatch",
    target: "GraniteServiceVersion20100801",
    content_type: "application/x-amz-json-1.0",
};
pub(super) const LOGS: Service = Service {
    name: "logs",
    id: "CloudWatch Logs",
    target: "Logs_20140328",
    content_type: "application/x-amz-json-1.1",
};
pub(super) const EVENTS: Service =
    Service { name: "events", id: "EventBridge", target: "AWSEvents", content_type: "application/x-amz-json-1.1" };

impl Service {
    /// Calls an operation that only reads, so that it may be repeated.
    pub(super) async fn read(
        &self,
        aws: &SdkConfig,
        (action, operation): (&str, &str),
        input: &Value,
        clock: Clock,
    ) -> Result<Value, Error> {
        let mut pause = PAUSE;
        for tried in 1.. {
            let Answer { status, body, foreign, .. } = self.call(aws, action, operation, input, clock).await?;
            if status.is_success() && foreign.is_none() {
                let unreadable = |_| Error::failed(action, format!("{operation} failed: unexpected response"));
                return serde_json::from_slice(&body).map_err(unreadable);
            }
            let code = foreign.unwrap_or_else(|| code(&body));
            if tried == TRIES || !is_for_now(status, &code) {
                return Err(Error::of_code(action, operation, &code));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        unreachable!("the loop returns")
    }

    async fn call(
        &self,
        aws: &SdkConfig,
        action: &str,
        operation: &str,
        input: &Value,
        clock: Clock,
    ) -> Result<Answer, Error> {
        let request = Signed {
            action,
            url: &format!("{}/", base_url(aws, self.id, self.name)),
            service: self.name,
            content_type: self.content_type,
            target: Some(&format!("{}.{operation}", self.target)),
            body: input.to_string(),
        };
        request.post(aws, clock()).await
    }
}

/// The error's code, which comes with or without the namespace in front and an address behind.
fn code(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = body["__type"].as_str().unwrap_or_default();
    let code = kind.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    if is_code { code.to_owned() } else { "no error code".to_owned() }
}

fn is_for_now(status: StatusCode, code: &str) -> bool {
    status.is_server_error() || code.contains("Throttl") || code == "LimitExceededException"
}

#[cfg(test)]
mod tests {
    use fakes::{Answer as Fake, Server};
    use serde_json::json;
    use shared::Timestamp;

    use super::*;
    use crate::aws::tests::config_of;

    const NOW: Clock = || Timestamp::from_millis(1_790_000_000_000);

    async fn describe(server: &Server) -> Result<Value, Error> {
        let aws = config_of(server).await;
        CLOUDWATCH.read(&aws, ("list the alarms", "DescribeAlarms"), &json!({"MaxRecords": 1}), NOW).await
    }

    #[tokio::test]
    async fn a_call_is_signed_with_its_operation() {
        let server = Server::start().await;
        server.on("DescribeAlarms", |_| json!({"MetricAlarms": []}).into());
        assert_eq!(describe(&server).await.unwrap(), json!({"MetricAlarms": []}));
        let request = server.only_request("DescribeAlarms");
        assert_eq!(request.header("x-amz-target"), "GraniteServiceVersion20100801.DescribeAlarms");
        assert_eq!(request.json(), json!({"MaxRecords": 1}));
        let signature = request.header("authorization");
        assert!(signature.contains("/us-east-1/monitoring/aws4_request"), "{signature}");
        assert!(signature.contains("x-amz-target"), "{signature}");
    }

    #[tokio::test]
    async fn a_call_that_is_throttled_is_repeated() {
        let server = Server::start().await;
        server.next("DescribeAlarms", fakes::aws::error("com.amazonaws.cloudwatch#ThrottlingException"));
        server.next("DescribeAlarms", Fake::new(503, ""));
        server.on("DescribeAlarms", |_| json!({}).into());
        describe(&server).await.unwrap();
        assert_eq!(server.requests("DescribeAlarms").len(), 3);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_of_aws_is_named_with_what_to_check() {
        for (answer, what) in [
            (Fake::new(200, "<html>"), "status 200 with a page"),
            (Fake::new(403, r#"{"message":"Forbidden"}"#), "status 403 with JSON, no error code"),
        ] {
            let server = Server::start().await;
            server.on("DescribeAlarms", move |_| answer.clone());
            let said = describe(&server).await.unwrap_err().to_string();
            let expected = format!("cannot list the alarms: DescribeAlarms failed: not AWS's answer: {what}; ");
            assert!(said.starts_with(&expected) && said.contains("AWS_ENDPOINT_URL"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_refusal_names_the_operation_and_the_code_and_quotes_nothing() {
        let server = Server::start().await;
        let said = json!({"__type": "AccessDeniedException:http://x", "message": "arn:aws:iam::1:user/ada"});
        server.on("DescribeAlarms", move |_| Fake::json(400, &said));
        let error = describe(&server).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot list the alarms: DescribeAlarms failed: AccessDeniedException"), "{error}");
        assert!(!error.contains("ada"), "{error}");
        assert_eq!(server.requests("DescribeAlarms").len(), 1);
    }

    #[test]
    fn a_code_is_read_in_each_of_its_forms() {
        let read = |kind: &str| code(json!({ "__type": kind }).to_string().as_bytes());
        assert_eq!(read("com.amazonaws.logs#ResourceNotFoundException"), "ResourceNotFoundException");
        assert_eq!(read("AccessDenied:http://internal.amazon.com/x"), "AccessDenied");
        assert_eq!(read("two words"), "no error code");
        assert_eq!(code(b"<html>"), "no error code");
    }
}
