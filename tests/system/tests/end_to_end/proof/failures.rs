//! Failures of AWS while a login waits for its code: the person is connected once it is over, and once.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;
use system::{
    Cloud, attempt_of,
    consent::CONNECTED,
    faults::{server_error, throttled},
    new_chat,
    proof::shown_code,
};

/// Asserts that the person is connected, and that this was said once.
async fn is_connected_once(cloud: &Cloud, chat: &str, attempt: &str, what: &str) {
    let journal = cloud.outcome(chat).await;
    assert_eq!(journal.messages(), [CONNECTED], "{what}");
    assert_eq!(journal.succeeded("salesforce.token"), 1, "{what}");
    assert_eq!(cloud.proof_row(chat).await.expect("a row")["attempt_id"]["S"], *attempt, "{what}");
    cloud.settled(attempt).await;
}

/// The tokens can be neither held nor stored, for longer than one invocation tries. The code comes meanwhile.
#[tokio::test]
async fn who_has_sent_the_code_while_no_table_took_the_tokens_is_connected_once_one_does() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let (browser, callback) = cloud.approved(&cloud.proof_link(&chat).await).await;
    let refusal = json!({"operation": "dynamodb.TransactWriteItems", "containing": attempt_of(&callback),
        "times": 10_000, "for_ms": 60_000, "action": throttled()});
    cloud.control("/control/aws/faults", &refusal).await;
    let code = shown_code(&browser, &callback).await;
    let answer = cloud.sends_code(&chat, &code).await;
    assert_eq!((answer.status, answer.result()), (StatusCode::NOT_FOUND, "unknown_code"));
    assert_eq!(cloud.proof_row(&chat).await, None);
    is_connected_once(&cloud, &chat, &attempt_of(&callback), "throttled").await;
}

/// The same, and nobody sends the code.
#[tokio::test]
async fn tokens_that_no_table_took_for_a_while_are_revoked_if_nobody_confirms_them() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let (browser, callback) = cloud.approved(&cloud.proof_link(&chat).await).await;
    let attempt = attempt_of(&callback);
    let refusal = json!({"operation": "dynamodb.TransactWriteItems", "containing": attempt, "times": 10_000,
        "for_ms": 60_000, "action": throttled()});
    cloud.control("/control/aws/faults", &refusal).await;
    shown_code(&browser, &callback).await;
    assert_eq!(cloud.proof_outcome(&attempt).await["reason"]["S"], "unconfirmed");
    cloud.settled(&attempt).await;
    super::nothing_is_connected(&cloud, &chat).await;
}

/// Each call of the tables: throttled, failed, lost before it and after it. They are the exchanger's and the keeper's.
#[tokio::test]
async fn whichever_table_call_fails_for_a_while_the_person_is_connected_once() {
    let cloud = Cloud::read();
    let actions = [throttled(), server_error(), json!({"drop": "before"}), json!({"drop": "after"})];
    let operations = ["dynamodb.UpdateItem", "dynamodb.TransactWriteItems", "dynamodb.GetItem"];
    let faults = operations.iter().flat_map(|operation| actions.iter().map(move |action| (operation, action)));
    join_all(faults.map(async |(operation, action)| {
        let chat = new_chat();
        let (browser, callback) = cloud.approved(&cloud.proof_link(&chat).await).await;
        let attempt = attempt_of(&callback);
        for containing in [&chat, &attempt] {
            cloud.aws_fault(operation, &**containing, 2, action.clone()).await;
        }
        let code = shown_code(&browser, &callback).await;
        let what = format!("{operation} {action}");
        let answer = cloud.sends_code_until_answered(&chat, &code).await;
        // Where the login comes later than the call waits for it, the code is not forgotten.
        assert!([StatusCode::OK, StatusCode::NOT_FOUND].contains(&answer.status), "{what}: {answer:?}");
        is_connected_once(&cloud, &chat, &attempt, &what).await;
    }))
    .await;
}

/// The row says who has sent the code; then the queue does not take what the exchanger is to do.
#[tokio::test]
async fn a_confirmation_that_is_not_queued_is_repeated_by_the_bot_or_carried_out_when_its_time_is_over() {
    let cloud = Cloud::read();
    join_all([true, false].map(async |is_repeated| {
        let chat = new_chat();
        let login = cloud.held_over(&cloud.proof_link(&chat).await).await;
        let row = cloud.held(&login.attempt).await;
        let proof = row["proof"]["S"].as_str().expect("a hash").to_owned();
        let times = 100;
        cloud.aws_fault("sqs.SendMessage", &*proof, times, server_error()).await;
        let answer = cloud.sends_code(&chat, &login.code).await;
        assert_eq!((answer.status, answer.result()), (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"));
        cloud.end_aws_faults(&proof).await;
        if is_repeated {
            assert_eq!(cloud.sends_code(&chat, &login.code).await.status, StatusCode::OK);
        }
        is_connected_once(&cloud, &chat, &login.attempt, if is_repeated { "repeated" } else { "timer" }).await;
    }))
    .await;
}
