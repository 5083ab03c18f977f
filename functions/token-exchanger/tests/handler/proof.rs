//! Logins that their chat has to confirm. The tables are in memory, and what the chat sends is written to them as the keeper
//! writes it.

use std::{cell::Cell, time::Duration};

use fakes::{
    Answer, aws,
    dynamodb::Tables,
    salesforce::{REVOKE, TOKEN},
};
use serde_json::{Value, json};
use shared::{Timestamp, proof::pending::attr};
use token_exchanger::TokenExchanger;

use crate::custody::opened;
use crate::language;
use crate::world::{ATTEMPT, CHAT, CODE_SHA256, NOW, World, holding, number, record, text};

const ATTEMPTS: &str = "connection_attempts";
const TOKENS: &str = "salesforce_tokens";
const PENDING: &str = "pending";
/// The hash of the code that the browser was shown.
const PROOF: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA";
const OTHER_CHAT: &str = "whatsapp:+15557654321";

thread_local! {
    static CLOCK: Cell<u64> = const { Cell::new(0) };
}

fn clock() -> Timestamp {
    NOW.plus(Duration::from_secs(CLOCK.get()))
}

/// One login that has to be confirmed, and the tables.
struct Login {
    world: World,
    function: TokenExchanger,
    tables: Tables,
}

impl Login {
    async fn start() -> Self {
        CLOCK.set(0);
        let world = World::start().await;
        let tables = Tables::on(&world.0);
        let function = world.function_with_proof(clock);
        Self { world, function, tables }
    }

    /// The message of a callback whose page shows the code.
    fn message(&self) -> Value {
        Self::with_proof(self.world.message())
    }

    fn with_proof(mut message: Value) -> Value {
        message["v"] = json!(3);
        message["proof"] = json!(PROOF);
        message
    }

    async fn receive(&self, message: &Value, receives: u32) -> bool {
        let batch = serde_json::from_value(json!({ "Records": [record("one", message, receives)] })).unwrap();
        let deadline = clock().plus(Duration::from_secs(30));
        self.function.handle(batch, deadline).await.unwrap().batch_item_failures.is_empty()
    }

    /// Whether the first delivery is done, after which the tokens are held.
    async fn hold(&self) {
        assert!(self.receive(&self.message(), 1).await);
        assert_eq!(self.attempt()["status"], text("unconfirmed"));
    }

    /// A chat sends the code.
    fn send(&self, chat: &str) {
        let mut row = match self.pending() {
            Value::Null => json!({ "proof": text(PROOF) }),
            row => row,
        };
        row[attr::SENDER] = text(chat);
        row[attr::SENT_AT] = number(clock().millis());
        self.tables.put(PENDING, PROOF, row);
    }

    /// The message that has the decision carried out, as the timer and the keeper send it.
    fn decided(&self) -> Value {
        self.world.upkeep().into_iter().find_map(|body| body.get("decide").cloned()).unwrap()
    }

    fn pending(&self) -> Value {
        self.tables.item(PENDING, PROOF)
    }

    fn attempt(&self) -> Value {
        self.tables.item(ATTEMPTS, ATTEMPT)
    }

    fn tokens(&self) -> Value {
        self.tables.item(TOKENS, CHAT)
    }

    fn is_connected(&self) -> bool {
        !self.tokens().is_null() && self.attempt()["status"] == text("connected")
    }

    /// The tokens are neither in the row nor in the token table, but on the queue to be revoked.
    fn is_refused_for(&self, reason: &str) {
        let attempt = self.attempt();
        assert_eq!((&attempt["status"], &attempt["reason"]), (&text("failed"), &text(reason)));
        assert_eq!(self.tokens(), Value::Null);
        let sent = self.world.calls("SendMessage").into_iter();
        let revocations: Vec<_> =
            sent.filter(|call| call["MessageBody"].as_str().unwrap().contains("revoke")).collect();
        assert_eq!((revocations.len(), &revocations[0]["DelaySeconds"]), (1, &json!(0)), "nothing is waited for");
        self.has_no_tokens();
    }

    fn has_no_tokens(&self) {
        let row = self.pending();
        assert!(row.get(attr::SEALED_TOKENS).is_none() && row.get(attr::SEALED_KEY).is_none(), "{row}");
        assert!(row.get(attr::SETTLED_AT).is_some(), "{row}");
    }
}

#[tokio::test]
async fn a_login_that_waits_has_the_language_of_its_link_and_so_has_its_outcome() {
    let login = Login::start().await;
    let message = Login::with_proof(language::message(&login.world));
    assert!(login.receive(&message, 1).await);
    assert_eq!(login.pending()[attr::LANGUAGE], text("hi"));
    login.send(OTHER_CHAT);
    assert!(login.receive(&login.decided(), 1).await);
    let attempt = login.attempt();
    assert_eq!((&attempt["reason"], &attempt["language"]), (&text("wrong_chat"), &text("hi")));
}

#[tokio::test]
async fn tokens_are_held_sealed_until_the_chat_has_sent_the_code() {
    let login = Login::start().await;
    login.hold().await;
    assert_eq!(login.tokens(), Value::Null);
    let row = login.pending();
    assert_eq!(row[attr::WA_ID], text(CHAT));
    assert_eq!(row[attr::CONFIRM_UNTIL], number(NOW.plus(Duration::from_mins(10)).millis()));
    let everything = format!("{row}{}", login.attempt());
    for secret in ["REFRESH", "ACCESS", "aPrxCODE"] {
        assert!(!everything.contains(secret), "{secret}");
    }
    let timer = login.world.calls("SendMessage").remove(0);
    assert_eq!(timer["DelaySeconds"], 600);
    assert!(timer["QueueUrl"].as_str().unwrap().ends_with("/upkeep"));
    assert_eq!(login.decided()["decided"], json!({ "proof": PROOF, "code_sha256": CODE_SHA256 }));
}

#[tokio::test]
async fn the_right_chat_is_connected_once() {
    let login = Login::start().await;
    login.hold().await;
    login.send(CHAT);
    for _ in 0..2 {
        assert!(login.receive(&login.decided(), 1).await);
        assert!(login.is_connected());
        login.has_no_tokens();
    }
    assert_eq!(opened(&login.tokens()["refresh_token"]), "5AepREFRESH");
    assert_eq!(login.tokens()["consented_at"], number(crate::world::RECEIVED_AT));
    assert_eq!(login.world.tries(), 1);
    assert!(login.world.queued("revoke").is_empty());
}

#[tokio::test]
async fn another_chat_connects_nobody() {
    let login = Login::start().await;
    login.hold().await;
    login.send(OTHER_CHAT);
    for _ in 0..2 {
        assert!(login.receive(&login.decided(), 1).await);
        login.is_refused_for("wrong_chat");
    }
    login.world.0.on(REVOKE, |_| Answer::new(200, ""));
    assert!(login.receive(&login.world.queued("revoke").remove(0), 1).await);
    assert_eq!(login.world.0.only_request(REVOKE).form(), [("token".to_owned(), "5AepREFRESH".to_owned())]);
}

#[tokio::test]
async fn a_login_that_nobody_confirms_ends_when_its_time_is_over() {
    let login = Login::start().await;
    login.hold().await;
    CLOCK.set(599);
    assert!(!login.receive(&login.decided(), 1).await, "its time is not over");
    assert_eq!(login.world.visibility_timeouts(), [2]);
    assert_eq!(login.attempt()["status"], text("unconfirmed"));
    CLOCK.set(600);
    for _ in 0..2 {
        assert!(login.receive(&login.decided(), 2).await);
        login.is_refused_for("unconfirmed");
    }
}

#[tokio::test]
async fn a_code_that_came_before_the_exchange_decides_the_login_at_once() {
    let login = Login::start().await;
    login.send(CHAT);
    assert!(login.receive(&login.message(), 1).await);
    assert!(login.is_connected());
    login.has_no_tokens();

    let login = Login::start().await;
    login.send(OTHER_CHAT);
    assert!(login.receive(&login.message(), 1).await);
    login.is_refused_for("wrong_chat");
}

/// The timer comes in any case; who waits for it has confirmed.
#[tokio::test]
async fn a_delivery_of_the_code_carries_out_what_was_decided_after_a_kill() {
    let login = Login::start().await;
    login.hold().await;
    login.send(CHAT);
    assert!(login.receive(&login.message(), 2).await);
    assert!(login.is_connected());
    assert_eq!(login.world.tries(), 1);
}

#[tokio::test]
async fn a_login_that_is_decided_when_it_is_held_and_not_stored_then_is_stored_by_the_queue() {
    let login = Login::start().await;
    login.send(CHAT);
    // The claim and the hold; then nothing is taken any more.
    login.tables.take_writes(2);
    assert!(login.receive(&login.message(), 1).await);
    assert_eq!((&login.attempt()["status"], login.tokens()), (&text("unconfirmed"), Value::Null));
    login.tables.take_all_writes();
    assert!(login.receive(&login.world.queued("traded").remove(0), 1).await);
    assert!(login.is_connected());
    login.has_no_tokens();
}

#[tokio::test]
async fn a_delivery_of_a_code_whose_tokens_are_held_does_nothing() {
    let login = Login::start().await;
    login.hold().await;
    let before = login.pending();
    for receives in [1, 2] {
        assert!(login.receive(&login.message(), receives).await);
    }
    assert_eq!((login.pending(), login.world.tries()), (before, 1));
}

#[tokio::test]
async fn a_decision_that_the_tables_do_not_take_is_carried_out_later() {
    for (chat, is_connected) in [(CHAT, true), (OTHER_CHAT, false)] {
        let login = Login::start().await;
        login.hold().await;
        login.send(chat);
        login.tables.take_writes(0);
        assert!(!login.receive(&login.decided(), 1).await);
        assert!(login.pending().get(attr::SEALED_TOKENS).is_some());
        login.tables.take_all_writes();
        assert!(login.receive(&login.decided(), 2).await);
        assert_eq!(login.is_connected(), is_connected);
        login.has_no_tokens();
    }
}

#[tokio::test]
async fn who_has_confirmed_hears_of_a_delay_and_who_has_not_does_not() {
    for (chat, status) in [(Some(CHAT), "delayed"), (Some(OTHER_CHAT), "unconfirmed"), (None, "unconfirmed")] {
        let login = Login::start().await;
        login.hold().await;
        CLOCK.set(601);
        if let Some(chat) = chat {
            login.send(chat);
        }
        // KMS does not open the tokens: the outcome of the last receive is written.
        login.world.0.on("Decrypt", |_| aws::error("AccessDeniedException"));
        let decided = login.decided();
        assert!(!login.receive(&decided, 10).await);
        assert_eq!(login.attempt()["status"], text(status), "{chat:?}");
    }
}

#[tokio::test]
async fn tokens_that_cannot_be_held_go_through_the_queue_and_are_held_then() {
    let login = Login::start().await;
    login.tables.take_writes(1);
    assert!(login.receive(&login.message(), 1).await);
    assert_eq!(login.pending(), Value::Null);
    let traded = login.world.queued("traded").remove(0);
    assert_eq!((&traded["v"], &traded["proof"]), (&json!(3), &json!(PROOF)));
    login.tables.take_all_writes();
    assert!(login.receive(&traded, 1).await);
    assert_eq!((&login.attempt()["status"], login.tokens()), (&text("unconfirmed"), Value::Null));
    login.send(CHAT);
    assert!(login.receive(&login.decided(), 1).await);
    assert!(login.is_connected());
}

#[tokio::test]
async fn tokens_whose_time_nothing_would_end_are_not_held() {
    let login = Login::start().await;
    login.world.0.on("SendMessage", |_| aws::error("AccessDeniedException"));
    login.world.0.on(REVOKE, |_| Answer::new(200, ""));
    assert!(!login.receive(&login.message(), 1).await);
    assert_eq!((login.pending(), login.tokens()), (Value::Null, Value::Null));
    assert_eq!(login.world.0.requests(REVOKE).len(), 1);
}

#[tokio::test]
async fn a_login_without_a_code_for_its_chat_connects_nobody() {
    let login = Login::start().await;
    assert!(login.receive(&login.world.message(), 1).await);
    let attempt = login.attempt();
    assert_eq!((&attempt["status"], &attempt["reason"]), (&text("failed"), &text("unconfirmed")));
    assert!(login.world.0.requests(TOKEN).is_empty());

    // Exchanged before chats had to confirm.
    let mut login = Login::start().await;
    login.function = login.world.function_at(clock);
    login.tables.take_writes(1);
    assert!(login.receive(&login.world.message(), 1).await);
    login.tables.take_all_writes();
    login.function = login.world.function_with_proof(clock);
    assert!(login.receive(&login.world.queued("traded").remove(0), 1).await);
    assert_eq!((login.attempt()["reason"].clone(), login.tokens()), (text("unconfirmed"), Value::Null));
    assert_eq!(login.world.queued("revoke").len(), 1);
}

#[tokio::test]
async fn a_plain_state_connects_nobody_where_chats_have_to_confirm() {
    let login = Login::start().await;
    let mut message = login.world.message();
    message["state"] = json!(format!("wa:{CHAT}"));
    assert!(login.receive(&message, 1).await);
    assert_eq!(login.tokens(), Value::Null);
    assert!(login.world.0.requests(TOKEN).is_empty());
}

#[tokio::test]
async fn a_code_that_was_shown_is_asked_for_though_no_login_needs_one_any_more() {
    let mut login = Login::start().await;
    login.function = login.world.function_at(clock);
    login.hold().await;
    login.send(CHAT);
    assert!(login.receive(&login.decided(), 1).await);
    assert!(login.is_connected());
}

#[tokio::test]
async fn the_code_of_another_login_holds_no_second_one() {
    let login = Login::start().await;
    login.hold().await;
    let mut other = login.pending();
    other[attr::ATTEMPT_ID] = text(&"9".repeat(32));
    let login = Login::start().await;
    login.tables.put(PENDING, PROOF, other.clone());
    assert!(login.receive(&login.message(), 1).await);
    assert_eq!(login.attempt()["reason"], text("unconfirmed"));
    assert_eq!((login.pending(), login.world.queued("revoke").len()), (other, 1));
}

#[tokio::test]
async fn a_message_decides_no_login_but_its_own() {
    let login = Login::start().await;
    login.hold().await;
    login.send(CHAT);
    for (name, value) in [(attr::ATTEMPT_ID, text(&"9".repeat(32))), (attr::WA_ID, text(OTHER_CHAT))] {
        let mut row = login.pending();
        row[name] = value;
        let of_another = Login::start().await;
        of_another.tables.put(PENDING, PROOF, row.clone());
        assert!(of_another.receive(&login.decided(), 1).await);
        assert_eq!((of_another.pending(), of_another.tokens()), (row, Value::Null), "{name}");
    }
    let decided = holding(login.message(), "decided", json!({ "proof": PROOF, "code_sha256": CODE_SHA256 }));
    assert!(!login.receive(&decided, 1).await, "a message has one proof");
}

#[tokio::test]
async fn a_later_consent_wins_over_one_that_is_confirmed_after_it() {
    let login = Login::start().await;
    login.hold().await;
    let row = crate::storage::row(crate::world::RECEIVED_AT + 1)["Item"].clone();
    login.tables.put(TOKENS, CHAT, row.clone());
    login.send(CHAT);
    assert!(login.receive(&login.decided(), 1).await);
    assert_eq!((login.attempt()["reason"].clone(), login.tokens()), (text("superseded"), row));
    assert_eq!(login.world.queued("revoke").len(), 1);
    login.has_no_tokens();
}

/// They approved before it, and act after it.
#[tokio::test]
async fn who_confirms_after_a_disconnect_is_told_and_not_connected() {
    let login = Login::start().await;
    login.hold().await;
    let ended_at = number(clock().millis() + 1);
    let row = json!({
        "wa_id": text(CHAT), "consented_at": ended_at, "ended_at": ended_at, "ended_reason": text("disconnected"),
        "revoked_at": ended_at,
    });
    login.tables.put(TOKENS, CHAT, row.clone());
    CLOCK.set(60);
    login.send(CHAT);
    assert!(login.receive(&login.decided(), 1).await);
    assert_eq!((login.attempt()["reason"].clone(), login.tokens()), (text("outdated_link"), row));
    login.has_no_tokens();
}

/// In two tabs: the first approval is decided before the second is exchanged.
#[tokio::test]
async fn a_second_approval_of_a_login_that_was_refused_leaves_no_attempt_open() {
    let login = Login::start().await;
    login.hold().await;
    login.send(OTHER_CHAT);
    assert!(login.receive(&login.decided(), 1).await);
    let mut second = login.message();
    second["code"] = json!("aPrxSECOND==");
    assert!(login.receive(&second, 1).await);
    let attempt = login.attempt();
    assert_eq!((&attempt["status"], &attempt["reason"]), (&text("failed"), &text("used_login")));
    assert_eq!((login.world.queued("revoke").len(), login.tokens()), (2, Value::Null));
}

#[tokio::test]
async fn tokens_that_are_held_by_a_write_whose_answer_is_lost_are_not_revoked() {
    let login = Login::start().await;
    let tables = login.tables.clone();
    login.world.0.on("TransactWriteItems", move |request| {
        let _ = tables.transact(&request.json());
        aws::error("ResourceNotFoundException")
    });
    let is_exchange = |request: &fakes::Request| request.json()["QueueUrl"].as_str().unwrap().ends_with("/queue");
    login.world.0.on("SendMessage", move |request| {
        if is_exchange(request) { aws::error("AccessDeniedException") } else { json!({ "MessageId": "m" }).into() }
    });
    assert!(!login.receive(&login.message(), 1).await);
    assert!(login.pending().get(attr::SEALED_TOKENS).is_some());
    assert!(login.world.0.requests(REVOKE).is_empty());
}

#[tokio::test]
async fn tokens_of_a_refused_login_stay_in_their_row_until_somebody_revokes_them() {
    let login = Login::start().await;
    login.hold().await;
    let decided = login.decided();
    login.send(OTHER_CHAT);
    login.world.0.on("SendMessage", |_| aws::error("AccessDeniedException"));
    login.world.0.on(REVOKE, |_| Answer::new(503, ""));
    assert!(!login.receive(&decided, 1).await);
    assert!(login.pending().get(attr::SEALED_TOKENS).is_some());
    assert_eq!(login.attempt()["status"], text("unconfirmed"));
    login.world.0.on(REVOKE, |_| Answer::new(200, ""));
    assert!(login.receive(&decided, 2).await);
    assert_eq!(login.attempt()["reason"], text("wrong_chat"));
    login.has_no_tokens();
}

/// Somebody who can write to the queue and read the table sends the held tokens in messages of their own.
#[tokio::test]
async fn held_tokens_open_for_no_other_code_and_change_no_outcome() {
    let login = Login::start().await;
    login.hold().await;
    let row = login.pending();
    let sealed = json!({
        "code_sha256": CODE_SHA256, "key": row[attr::SEALED_KEY]["S"], "data": row[attr::SEALED_TOKENS]["S"],
    });
    let bare = holding(login.world.message(), "traded", sealed.clone());
    let mut under_another = holding(login.message(), "traded", sealed);
    under_another["proof"] = json!("I".repeat(42) + "A");
    for message in [&bare, &under_another] {
        assert!(!login.receive(message, 1).await);
        assert_eq!((&login.pending(), &login.attempt()["status"]), (&row, &text("unconfirmed")));
    }
    login.send(OTHER_CHAT);
    assert!(login.receive(&login.decided(), 1).await);
    for message in [&bare, &under_another] {
        assert!(!login.receive(message, 1).await);
        login.is_refused_for("wrong_chat");
    }
}
