//! How often a message is sent, where answers are lost, marks cannot be written, or the notifier dies on the way: once,
//! and never less; twice where nobody can know.

use std::cell::Cell;

use fakes::{Answer, attempts::item};
use serde_json::{Value, json};
use shared::{Timestamp, process::NoRandomness};

use crate::{
    ACCEPTED, NOW, Scene, TWILIO, World, pointer,
    table::{Fault, Row},
};

/// For how long a killed function's message stays invisible.
const VISIBILITY: u64 = 60;
const DAY: u64 = 24 * 3600;
/// How a pointer that is not done with goes back to its queue.
const RETURN: &str = "ChangeMessageVisibility";

thread_local! {
    /// The seconds since the telling began, in this test.
    static ELAPSED: Cell<u64> = const { Cell::new(0) };
    static RANDOM: Cell<u8> = const { Cell::new(0) };
}

fn clock() -> Timestamp {
    Timestamp::from_millis(NOW + ELAPSED.get() * 1000)
}

#[expect(clippy::unnecessary_wraps, reason = "as the system's source")]
fn random(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    RANDOM.set(RANDOM.get().wrapping_add(1));
    bytes.fill(RANDOM.get());
    Ok(())
}

/// What is told of an outcome, by a pointer that comes back as the schedule says.
struct Telling {
    scene: Scene,
    row: Row,
    /// When the pointer was put on the queue.
    queued: Cell<u64>,
}

/// How an outcome was told.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    messages: usize,
    /// What the row says of the message.
    message: &'static str,
    /// After so many seconds.
    after: u64,
}

impl Telling {
    async fn of(changes: Value) -> Self {
        let item = item(changes);
        let scene = Scene::at(World::with(item.clone()), |_| None, random, clock).await;
        let row = Row::behind(&scene.server, &item);
        Self { scene, row, queued: Cell::new(0) }
    }

    /// One delivery of these pointers; the pause until they come back.
    async fn deliver(&self, pointers: &[&str]) -> Option<u64> {
        let sent_at = NOW + self.queued.get() * 1000;
        let before = self.scene.server.count(RETURN);
        let delivered = tokio::select! {
            failures = self.scene.returned_of(pointers, sent_at) => failures,
            () = self.row.death() => return Some(VISIBILITY),
        };
        let returned = self.scene.server.requests_after(RETURN, before);
        let pauses = returned.iter().filter_map(|call| call.json()["VisibilityTimeout"].as_u64());
        if delivered == json!([]) { None } else { pauses.max() }
    }

    /// Delivers a pointer until there is nothing left to tell.
    async fn end(&self) {
        while let Some(pause) = self.deliver(&[&pointer("07")]).await {
            // What became of the message is asked later.
            if self.row.has("notified_at") {
                break;
            }
            ELAPSED.set(ELAPSED.get() + pause);
            assert!(ELAPSED.get() < DAY, "never told: {:?}", self.row.text("message_intent"));
        }
    }

    /// The same, and how it was told.
    async fn done(self) -> Told {
        self.end().await;
        assert!(self.row.text("notified_at").is_some(), "complete");
        let message = if self.row.text("message_state").is_some() { "unknown" } else { "sent" };
        assert!(!self.scene.events().is_empty(), "the bot was told");
        Told { messages: self.scene.messages().len(), message, after: ELAPSED.get() }
    }
}

const fn told(messages: usize, message: &'static str, after: u64) -> Told {
    Told { messages, message, after }
}

/// Every kind of outcome that a chat hears of: a success, a failure with a link, an end.
fn outcomes() -> [Value; 3] {
    [
        json!({}),
        json!({"status": "failed", "reason": "code_expired"}),
        json!({"status": "ended", "reason": "expired", "scope": null}),
    ]
}

async fn with_faults(changes: Value, faults: &[(usize, &'static str, Fault)]) -> Told {
    ELAPSED.set(0);
    let telling = Telling::of(changes).await;
    for (times, attribute, fault) in faults {
        telling.row.next(*times, attribute, *fault);
    }
    telling.done().await
}

#[tokio::test]
async fn an_intent_whose_answer_is_lost_is_no_send() {
    for outcome in outcomes() {
        for times in [1, 2, 3, 6] {
            for fault in [Fault::AnswerLost, Fault::Refused] {
                let told = with_faults(outcome.clone(), &[(times, "message_intent", fault)]).await;
                assert_eq!((told.messages, told.message), (1, "sent"), "{times} {fault:?}");
                assert!(told.after < 60, "{times} {fault:?}: {}", told.after);
            }
        }
    }
}

#[tokio::test]
async fn an_intent_that_is_not_written_keeps_nothing_from_the_bot() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    telling.row.next(1, "message_intent", Fault::Refused);
    telling.deliver(&[&pointer("07")]).await;
    assert_eq!((telling.scene.messages().len(), telling.scene.events().len()), (0, 1));
    assert!(telling.row.text("message_intent").is_none());
}

#[tokio::test]
async fn where_a_marks_answer_is_lost_it_is_asked_all_the_same_what_became_of_the_message() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    telling.scene.server.on(TWILIO, |_| Answer::new(ACCEPTED.0, ACCEPTED.1));
    telling.row.next(1, "messaged_at", Fault::AnswerLost);
    telling.deliver(&[&pointer("07")]).await;
    assert_eq!((telling.scene.messages().len(), telling.scene.pauses()), (1, vec![15]));
    assert!(telling.row.text("message_intent").is_none());
}

#[tokio::test]
async fn whoever_dies_before_the_send_has_sent_nothing() {
    for outcome in outcomes() {
        for deaths in 1..=5 {
            for fault in [Fault::DeathAfter, Fault::DeathBefore] {
                let told = with_faults(outcome.clone(), &[(deaths, "message_intent", fault)]).await;
                assert_eq!((told.messages, told.message), (1, "sent"), "{deaths} {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn whoever_dies_after_the_send_may_send_twice() {
    for fault in [Fault::DeathAfter, Fault::DeathBefore] {
        let is_marked = fault == Fault::DeathAfter;
        let told = with_faults(json!({}), &[(1, "messaged_at", fault)]).await;
        assert_eq!((told.messages, told.message), (if is_marked { 1 } else { 2 }, "sent"));
    }
}

#[tokio::test]
async fn deaths_after_the_send_are_repeated_ever_later() {
    let told = with_faults(json!({}), &[(8, "messaged_at", Fault::DeathBefore)]).await;
    assert_eq!(told.message, "sent");
    assert!(told.after > 4 * 3600, "{told:?}");
}

#[tokio::test]
async fn two_lost_answers_of_the_provider_are_two_messages_and_unknown() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    telling.scene.server.on(TWILIO, |_| Answer::Endless(201));
    assert_eq!(telling.done().await, told(2, "unknown", 10));
}

#[tokio::test]
async fn a_death_and_a_lost_answer_are_two_messages_and_unknown() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    telling.row.next(1, "message_intent", Fault::DeathAfter);
    telling.scene.server.on(TWILIO, |_| Answer::Endless(201));
    let told = telling.done().await;
    assert!((1..=2).contains(&told.messages), "{told:?}");
    assert_eq!(told.message, "unknown");
}

#[tokio::test]
async fn a_send_that_cannot_be_marked_is_repeated_once() {
    // The intent says that it was sent, and whatever is written of it later is refused.
    assert_eq!(with_faults(json!({}), &[(50, "messaged_at", Fault::Refused)]).await.messages, 2);
}

/// The row's marks once everything is told, after so many writes that set this attribute were refused.
async fn marks_after(changes: Value, refused: usize, attribute: &'static str) -> Vec<&'static str> {
    ELAPSED.set(0);
    let telling = Telling::of(changes).await;
    telling.row.next(refused, attribute, Fault::Refused);
    telling.end().await;
    assert_eq!(telling.scene.messages().len(), 1);
    let marks = ["messaged_at", "message_id", "bot_told_at", "notified_at", "message_intent"];
    marks.into_iter().filter(|mark| telling.row.has(mark)).collect()
}

#[tokio::test]
async fn a_mark_that_could_not_be_written_is_written_with_the_next() {
    let all = ["messaged_at", "message_id", "bot_told_at", "notified_at"];
    for refused in 0..=2 {
        assert_eq!(marks_after(json!({}), refused, "messaged_at").await, all, "{refused}");
    }
    assert_eq!(marks_after(json!({}), 1, "bot_told_at").await, all);
    assert_eq!(marks_after(json!({"bot_told_at": NOW}), 1, "messaged_at").await, all, "nobody else is left to tell");
}

#[tokio::test]
async fn whoever_read_the_row_before_it_was_told_sends_nothing() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    telling.row.read_late(2);
    for _ in 0..2 {
        telling.deliver(&[&pointer("07")]).await;
    }
    assert_eq!(telling.done().await, told(1, "sent", 0));
}

#[tokio::test]
async fn a_bot_that_heard_that_the_message_is_on_its_way_hears_that_none_arrives() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    telling.row.next(1, "message_intent", Fault::DeathAfter);
    telling.deliver(&[&pointer("07")]).await;
    // Whoever reads the row later waits, and says that the message is pending; meanwhile it proves undeliverable.
    telling.row.next(2, "message_intent", Fault::DeathAfter);
    for _ in 0..2 {
        ELAPSED.set(ELAPSED.get() + VISIBILITY);
        telling.deliver(&[&pointer("07")]).await;
    }
    ELAPSED.set(ELAPSED.get() + 40);
    let (row, undeliverable) = (telling.row.clone(), json!({"S": "63024"}));
    telling.scene.server.on(crate::BOT, move |_| {
        row.put("message_error", Some(&undeliverable));
        row.put("message_intent", None);
        Answer::new(200, "")
    });
    telling.deliver(&[&pointer("07")]).await;
    telling.deliver(&[&pointer("07")]).await;
    let said: Vec<_> = telling.scene.events().iter().map(|event| event["data"]["message"].clone()).collect();
    assert_eq!(said, ["pending", "undeliverable"]);
    assert!(telling.row.has("notified_at") && telling.scene.messages().is_empty());
}

#[tokio::test]
async fn a_definite_refusal_counts_for_nothing() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    for _ in 0..30 {
        telling.scene.server.next(TWILIO, Answer::new(503, ""));
    }
    let told = telling.done().await;
    assert_eq!((told.messages, told.message), (31, "sent"));
}

#[tokio::test]
async fn of_two_deliveries_at_once_one_sends() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    let one = pointer("07");
    telling.deliver(&[&one, &one, &one]).await;
    assert_eq!(telling.scene.messages().len(), 1);
    let told = telling.done().await;
    assert_eq!((told.messages, told.message), (1, "sent"));
}

#[tokio::test]
async fn an_answer_that_the_sdk_asks_for_again_is_its_own_intent() {
    ELAPSED.set(0);
    let telling = Telling::of(json!({})).await;
    telling.scene.server.on(TWILIO, |_| Answer::new(ACCEPTED.0, ACCEPTED.1));
    let server = telling.scene.server.clone();
    // Written, and the connection breaks: the SDK's second request finds its own intent.
    telling.row.next(1, "message_intent", Fault::Broken);
    assert_eq!(telling.done().await, told(1, "sent", 0));
    assert!(server.requests("UpdateItem").len() > 3);
}

/// Twilio accepts each message, and says this of it some seconds later.
async fn refused_later(changes: Value, status: &'static str, error_code: Option<u64>) -> Telling {
    ELAPSED.set(0);
    let telling = Telling::of(changes).await;
    let answer = json!({"sid": "SM1", "status": status, "error_code": error_code});
    telling.scene.server.on(crate::MESSAGE, move |_| Answer::json(200, &answer));
    telling
}

impl Telling {
    /// Delivers a pointer until its receives are used up; something where it is done before.
    async fn use_up(&self) -> Option<usize> {
        self.use_up_after(0).await
    }

    /// The same, after so many receives.
    async fn use_up_after(&self, receives: usize) -> Option<usize> {
        for receives in (receives..fakes::template::number("NotifierRetryQueue", "maxReceiveCount")).rev() {
            let Some(pause) = self.deliver(&[&pointer("07")]).await else { return Some(receives) };
            ELAPSED.set(ELAPSED.get() + pause);
        }
        None
    }
}

#[tokio::test]
async fn a_message_that_is_refused_later_each_time_is_a_dead_letter_after_a_day_and_told_after_one_redrive() {
    let redelivered = json!({"redelivered_at": NOW});
    for (changes, status, code) in [(json!({}), "undelivered", Some(69_999)), (redelivered, "failed", None)] {
        let logs = crate::Logs::capture();
        let telling = refused_later(changes, status, code).await;
        assert_eq!(telling.use_up().await, None, "it is never told");
        assert!((DAY..DAY + 6 * 3600).contains(&ELAPSED.get()), "{}", ELAPSED.get());
        let messages = telling.scene.messages().len();
        assert!((20..40).contains(&messages), "an hour apart at last: {messages}");
        assert!(telling.scene.sent_to(crate::RETRIES).is_empty(), "another pointer would begin another day");
        assert!(!telling.row.has("notified_at") && !telling.row.has("redelivered_at"));
        let oldest = crate::untold_ages(&logs).into_iter().max();
        assert!(oldest > Some(DAY * 1000), "the alarm sees how old it is: {oldest:?}");

        let cured = json!({"sid": "SM1", "status": "delivered", "error_code": null});
        telling.scene.server.on(crate::MESSAGE, move |_| Answer::json(200, &cured));
        ELAPSED.set(ELAPSED.get() + 2 * 3600);
        telling.queued.set(ELAPSED.get());
        assert!(telling.use_up().await.is_some(), "a redrive begins another day");
        assert_eq!(telling.scene.messages().len(), messages + 1);
        assert_eq!(telling.row.text("message_state").as_deref(), Some("delivered"));
        assert!(telling.row.has("notified_at"));
    }
}

#[tokio::test]
async fn a_message_that_is_accepted_after_hours_and_refused_later_has_the_rest_of_the_day() {
    let telling = refused_later(json!({}), "failed", Some(63112)).await;
    telling.scene.server.on(crate::BOT, |_| Answer::new(500, ""));
    telling.scene.server.on(TWILIO, |_| Answer::new(429, r#"{"code":20429}"#));
    let mut receives = 0;
    while ELAPSED.get() < 20 * 3600 {
        let pause = telling.deliver(&[&pointer("07")]).await.unwrap();
        ELAPSED.set(ELAPSED.get() + pause);
        receives += 1;
    }
    let before = telling.scene.messages().len();
    telling.scene.server.on(TWILIO, |_| Answer::new(ACCEPTED.0, ACCEPTED.1));
    assert_eq!(telling.use_up_after(receives).await, None);
    assert!((DAY..DAY + 6 * 3600).contains(&ELAPSED.get()), "{}", ELAPSED.get());
    assert!((2..16).contains(&(telling.scene.messages().len() - before)));
    assert!(telling.scene.sent_to(crate::RETRIES).is_empty(), "another pointer would begin another day");
}
