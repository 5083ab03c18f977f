//! Functions that are killed (SIGKILL) while a login waits for its code, on the stack with `ChatProof=Required`: who sends the code is
//! connected, or hears that the login has to be repeated; no token is left behind.

use serde_json::json;
use system::{
    Cloud, Journal, attempt_of,
    consent::CONNECTED,
    new_chat,
    proof::{PROOF, shown_code},
};
use tokio::sync::OnceCell;

use super::{is_connected_once, is_told_or_connected, is_told_to_log_in_again};

/// The cloud, with batches of one message on that stack.
async fn one_by_one() -> Cloud {
    static SET: OnceCell<()> = OnceCell::const_new();
    let cloud = Cloud::read();
    SET.get_or_init(async || {
        cloud.give_one_at_a_time(PROOF).await;
        cloud.set_batch_size(PROOF, "TokenRefresherFunctionName", 1).await;
    })
    .await;
    cloud
}

/// An exchanger is killed at this call about the attempt, before the code is sent; then the person sends it. What they were
/// notified of. Where nobody was killed it is somebody else's turn, as in [`super::exchanger_dies`].
async fn exchanger_dies(when: &str, at: &str) -> Journal {
    let cloud = one_by_one().await;
    loop {
        let chat = new_chat();
        let (browser, callback) = cloud.approved(&cloud.proof_link(&chat).await).await;
        let attempt = attempt_of(&callback);
        match at.strip_prefix("salesforce.") {
            Some(_) => cloud.fault(&chat, at, 1, json!({"kill": when})).await,
            None => cloud.aws_fault(at, &*attempt, 1, json!({"kill": when})).await,
        }
        let code = shown_code(&browser, &callback).await;
        // While nothing is held the code is unknown, and decides the login all the same.
        let answer = cloud.sends_code_until_answered(&chat, &code).await;
        assert!([200, 404].contains(&answer.status.as_u16()), "{answer:?}");
        let journal = cloud.outcome(&chat).await;
        if journal.messages() == [CONNECTED] {
            cloud.settled(&attempt).await;
        }
        if cloud.is_used_up(&attempt).await {
            return journal;
        }
    }
}

#[tokio::test]
async fn killed_after_the_code_is_exchanged_with_proof() {
    is_told_to_log_in_again(&exchanger_dies("after", "salesforce.token").await);
}

#[tokio::test]
async fn killed_before_the_tokens_are_held() {
    is_told_or_connected(&exchanger_dies("before", "dynamodb.TransactWriteItems").await);
}

#[tokio::test]
async fn killed_after_the_tokens_are_held() {
    is_connected_once(&exchanger_dies("after", "dynamodb.TransactWriteItems").await);
}

/// An exchanger is killed while it carries out what the chat has decided: the next delivery does, or that of the end of the time.
async fn killed_while_it_decides(when: &str, at: &str) {
    let cloud = one_by_one().await;
    let chat = new_chat();
    let login = cloud.held_over(&cloud.proof_link(&chat).await).await;
    cloud.aws_fault(at, &*login.attempt, 1, json!({"kill": when})).await;
    assert_eq!(cloud.sends_code(&chat, &login.code).await.status.as_u16(), 200);
    is_connected_once(&cloud.outcome(&chat).await);
    cloud.settled(&login.attempt).await;
    cloud.used_up(&login.attempt).await;
    assert_eq!(cloud.journal(&chat).await.messages(), [CONNECTED]);
}

#[tokio::test]
async fn killed_before_confirmed_tokens_are_stored() {
    killed_while_it_decides("before", "dynamodb.TransactWriteItems").await;
}

#[tokio::test]
async fn killed_after_confirmed_tokens_are_stored() {
    killed_while_it_decides("after", "dynamodb.TransactWriteItems").await;
}

/// The same for a chat that is not the link's.
#[tokio::test]
async fn killed_before_the_tokens_of_a_wrong_chat_are_revoked() {
    let cloud = one_by_one().await;
    let (chat, sender) = (new_chat(), new_chat());
    let login = cloud.held_over(&cloud.proof_link(&chat).await).await;
    cloud.aws_fault("kms.Decrypt", &*login.attempt, 1, json!({"kill": "before"})).await;
    assert_eq!(cloud.sends_code(&sender, &login.code).await.status.as_u16(), 409);
    cloud.used_up(&login.attempt).await;
    assert_eq!(cloud.proof_outcome(&login.attempt).await["reason"]["S"], "wrong_chat");
    cloud.settled(&login.attempt).await;
    cloud.wait_for(&chat, "the revocation", |journal| journal.succeeded("salesforce.revoke") == 1).await;
    assert!(cloud.live_tokens(&chat).await.is_empty());
    assert_eq!(cloud.proof_row(&chat).await, None);
}

/// The keeper dies when it has recorded who has sent the code. The bot repeats the call, as docs/API.md says.
#[tokio::test]
async fn a_keeper_killed_while_it_confirms_is_asked_again() {
    let cloud = one_by_one().await;
    for when in ["before", "after"] {
        let (chat, login) = loop {
            let chat = new_chat();
            let login = cloud.held_over(&cloud.proof_link(&chat).await).await;
            // The guess is counted first; the next update is the sender's.
            cloud.aws_fault("dynamodb.UpdateItem", &*chat, 1, json!({"delay_ms": 0})).await;
            cloud.aws_fault("dynamodb.UpdateItem", &*chat, 1, json!({"kill": when})).await;
            let answer = cloud.sends_code(&chat, &login.code).await;
            if answer.status.is_server_error() {
                break (chat, login);
            }
            // Nobody was killed.
            assert_eq!(answer.status.as_u16(), 200, "{when} {answer:?}");
        };
        assert_eq!(cloud.sends_code_until_answered(&chat, &login.code).await.status.as_u16(), 200, "{when}");
        is_connected_once(&cloud.outcome(&chat).await);
    }
}
