use serde_json::{Value, json};

use super::*;

fn granted() -> Value {
    json!({
        "v": 2,
        "state": "wa:whatsapp:+15551234567~c2lnbmVk",
        "received_at": 1_790_000_000_000_u64,
        "code": "aPrxSECRET==",
    })
}

/// The same with another content.
fn holding(name: &str, content: &Value) -> Value {
    let mut message = granted();
    message.as_object_mut().unwrap().remove("code");
    message[name] = content.clone();
    message
}

fn parse(body: &Value) -> Result<ExchangeMessage, InvalidMessage> {
    match Body::parse(&body.to_string())? {
        Body::Current(message) => Ok(message),
        Body::Version1(_) => panic!("an older version"),
    }
}

#[test]
fn each_content_has_the_documented_form() {
    let sealed = json!({"attempt_id": "00000000000000000000000000000007", "key": "a2V5", "data": "ZGF0YQ=="});
    for message in [
        granted(),
        holding("denied", &json!({"error": "access_denied"})),
        holding("denied", &json!({"error": "server_error", "error_description": "try again"})),
        holding("refused", &json!("wrong_browser")),
        holding("traded", &json!({"code_sha256": "ab", "key": "a2V5", "data": "ZGF0YQ=="})),
        holding("revoke", &sealed),
    ] {
        let parsed = parse(&message).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&parsed.to_body()).unwrap(), message);
    }
}

/// The hash of a code.
fn proof() -> Value {
    json!("A".repeat(43))
}

#[test]
fn a_message_that_needs_a_proof_is_of_a_version_of_its_own() {
    let mut code = granted();
    let mut traded = holding("traded", &json!({"code_sha256": "ab", "key": "a2V5", "data": "ZGF0YQ=="}));
    let mut decided = holding("decided", &json!({"proof": proof(), "code_sha256": "ab"}));
    code["proof"] = proof();
    traded["proof"] = proof();
    for message in [&mut code, &mut traded, &mut decided] {
        assert_eq!(parse(message).unwrap_err(), InvalidMessage::Version, "an earlier version would not ask for it");
        message["v"] = json!(3);
        let parsed = parse(message).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&parsed.to_body()).unwrap(), *message);
    }
    let mut without = granted();
    without["v"] = json!(3);
    assert_eq!(parse(&without).unwrap_err(), InvalidMessage::Version);
    code["proof"] = json!("K7PW4MXR");
    assert_eq!(parse(&code).unwrap_err(), InvalidMessage::Malformed);
    let mut denied = holding("denied", &json!({"error": "access_denied"}));
    denied["v"] = json!(3);
    denied["proof"] = proof();
    assert_eq!(parse(&denied).unwrap_err(), InvalidMessage::Consent);
}

#[test]
fn a_message_has_exactly_one_content() {
    let mut both = granted();
    both["denied"] = json!({"error": "access_denied"});
    assert_eq!(parse(&both).unwrap_err(), InvalidMessage::Consent);
    assert_eq!(parse(&holding("code", &Value::Null)).unwrap_err(), InvalidMessage::Consent);
}

#[test]
fn a_refusal_has_a_reason_of_the_receivers() {
    for reason in ["connected", "denied", "", "weather"] {
        assert_eq!(parse(&holding("refused", &json!(reason))).unwrap_err(), InvalidMessage::Consent, "{reason}");
    }
}

#[test]
fn a_refusal_says_which_code_it_brought_and_whether_the_login_was_used() {
    let mut refused = holding("refused", &json!("wrong_browser"));
    refused["code_sha256"] = json!("ab");
    for (used, reason) in [(false, Reason::WrongBrowser), (true, Reason::UsedLogin)] {
        if used {
            refused["used"] = json!(true);
        }
        let parsed = parse(&refused).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&parsed.to_body()).unwrap(), refused);
        let Consent::Refused { reason: parsed, code_sha256 } = parsed.consent else { panic!("no refusal") };
        assert_eq!((parsed, code_sha256.as_deref()), (reason, Some("ab")));
    }
    refused["refused"] = json!("expired_state");
    assert!(matches!(parse(&refused).unwrap().consent, Consent::Refused { reason: Reason::ExpiredState, .. }));
}

#[test]
fn says_what_is_wrong_without_quoting_it() {
    let refusal = |body: &str| Body::parse(body).unwrap_err();
    assert_eq!(refusal("not json"), InvalidMessage::Malformed);
    assert_eq!(refusal(r#"{"v":2,"something":"else"}"#), InvalidMessage::Malformed);
    assert_eq!(refusal(r#"{"v":4,"something":"else"}"#), InvalidMessage::Version);
}

#[test]
fn a_code_expires_a_minute_before_salesforce_says_so() {
    let received_at = Timestamp::from_seconds(1_790_000_000);
    let left = |seconds| code_time_left(received_at, received_at.plus(Duration::from_secs(seconds))).as_secs();
    assert_eq!([0, 830, 840, 9_000].map(left), [840, 10, 0, 0]);
}

#[test]
fn debug_hides_code_and_number() {
    let debug = format!("{:?}", parse(&granted()).unwrap());
    assert!(!debug.contains("SECRET") && !debug.contains("1555123"), "{debug}");
}
