//! Calls that a server answers in place of AWS.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{operation::get_item::GetItemInput, types::AttributeValue};
use aws_sdk_eventbridge::{operation::put_events::PutEventsInput, types::PutEventsRequestEntry};
use aws_sdk_kms::operation::get_public_key::GetPublicKeyInput;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueInput;
use aws_sdk_sqs::operation::send_message::{
    SendMessageError, SendMessageInput, SendMessageOutput, builders::SendMessageInputBuilder,
};
use fakes::{Answer, Request as Received, Server, aws::setting};
use serde_json::json;

use super::*;
use crate::{Settings, aws::queue::SQS};

const OPERATION: &str = "SendMessage";

fn message() -> SendMessageInputBuilder {
    SendMessageInput::builder().queue_url("https://sqs.us-east-1.amazonaws.com/1/exchange").message_body("s3cret")
}

fn config(server: &Server) -> SdkConfig {
    crate::aws::config(&Settings::new(|name| setting(name, server))).unwrap()
}

async fn queue() -> Server {
    let server = Server::start().await;
    server.on(OPERATION, |_| json!({ "MessageId": "m" }).into());
    server
}

async fn sent(server: &Server) -> Result<SendMessageOutput, SdkError<SendMessageError>> {
    Service::new(&config(server), SQS).call(message()).await
}

/// The headers without what differs from call to call; of the signature, what is signed by whom.
fn headers(request: &Received) -> BTreeMap<String, String> {
    let names = request.headers.keys().map(ToString::to_string).filter(|name| name != "x-amz-date");
    let value = |name: &str| match (name, request.headers[name].to_str().unwrap()) {
        ("authorization", value) => value.split("/aws4_request").next().unwrap_or_default().to_owned(),
        (_, value) => value.to_owned(),
    };
    names.map(|name| (name.clone(), value(&name))).collect()
}

/// What a call by `Service` and one by the SDK's own client have asked for, in this order.
macro_rules! asked {
    ($sdk:ident, $service:literal, $operation:literal, $request:expr) => {{
        let server = Server::start().await;
        server.on($operation, |_| json!({}).into());
        Service::new(&config(&server), $service).call($request).await.unwrap();
        let theirs = $sdk::config::Builder::from(&config(&server)).behavior_version(BehaviorVersion::v2026_01_12());
        $request.send_with(&$sdk::Client::from_conf(theirs.build())).await.unwrap();
        server.requests($operation)
    }};
}

#[tokio::test]
async fn a_call_is_that_of_the_sdks_own_client_but_for_how_it_describes_itself() {
    let key = || AttributeValue::S("whatsapp:+15551234567".to_owned());
    for asked in [
        asked!(aws_sdk_sqs, "sqs", "SendMessage", message()),
        asked!(aws_sdk_dynamodb, "dynamodb", "GetItem", GetItemInput::builder().table_name("t").key("wa_id", key())),
        asked!(aws_sdk_kms, "kms", "GetPublicKey", GetPublicKeyInput::builder().key_id("k")),
        asked!(
            aws_sdk_secretsmanager,
            "secretsmanager",
            "GetSecretValue",
            GetSecretValueInput::builder().secret_id("s")
        ),
        asked!(
            aws_sdk_eventbridge,
            "events",
            "PutEvents",
            PutEventsInput::builder().entries(PutEventsRequestEntry::builder().source("s").detail("{}").build())
        ),
    ] {
        let [ours, theirs] = &asked[..] else { panic!("two requests") };
        assert_eq!((&ours.path, &ours.body), (&theirs.path, &theirs.body));
        let mut expected = headers(theirs);
        for name in ["x-amz-user-agent", "amz-sdk-request", "amz-sdk-invocation-id"] {
            assert!(expected.remove(name).is_some(), "{name}");
        }
        assert!(expected.insert("user-agent".to_owned(), crate::AGENT.to_owned()).is_some());
        assert_eq!(headers(ours), expected);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times_and_a_refusal_once() {
    let error = |status: u16, code: &str| Answer::json(status, &json!({ "__type": code }));
    for (answer, attempts) in [
        (error(503, "ServiceUnavailable"), 3),
        (error(400, "RequestThrottled"), 3),
        (Answer::new(502, "<html>"), 3),
        (error(400, "AccessDeniedException"), 1),
        (error(400, "QueueDoesNotExist"), 1),
    ] {
        let server = queue().await;
        for _ in 0..5 {
            server.next(OPERATION, answer.clone());
        }
        sent(&server).await.unwrap_err();
        assert_eq!(server.count(OPERATION), attempts, "{answer:?}");
    }
}

#[tokio::test]
async fn an_attempt_that_fails_is_made_up_for_by_the_next() {
    let server = queue().await;
    server.next(OPERATION, Answer::new(500, ""));
    server.next(OPERATION, Answer::Lost);
    assert_eq!(sent(&server).await.unwrap().message_id(), Some("m"));
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_corrected_by_the_services() {
    let server = queue().await;
    let body = json!({ "__type": "InvalidSignatureException" }).to_string();
    let header = Some(("date", "Wed, 21 Oct 2037 07:28:00 GMT"));
    server.next(OPERATION, Answer::Response { status: 403, header, body });
    sent(&server).await.unwrap();
    let [_, corrected] = &server.requests(OPERATION)[..] else { panic!("two requests") };
    assert_eq!(corrected.header("x-amz-date").get(..11), Some("20371021T07"));
}

#[tokio::test]
async fn a_dry_run_sends_nothing() {
    let server = queue().await;
    let service = Service::new(&config(&server), SQS);
    service.dry_run().call(message()).await.unwrap();
    assert_eq!(server.count(OPERATION), 0);
    service.call(message()).await.unwrap();
    assert_eq!(server.count(OPERATION), 1);
}

#[tokio::test]
async fn a_refusal_has_the_operations_own_error() {
    let server = queue().await;
    server.fail(fakes::aws::error("com.amazonaws.sqs#InvalidMessageContents"));
    let error = sent(&server).await.unwrap_err().into_service_error();
    assert!(matches!(error, SendMessageError::InvalidMessageContents(_)), "{error:?}");
}

#[tokio::test]
async fn the_debug_form_has_no_credentials() {
    let server = Server::start().await;
    assert_eq!(format!("{:?}", Service::new(&config(&server), SQS)), r#"Service { name: "sqs", .. }"#);
}
