//! What is done for one connection: refreshed, stored, revoked.

use fakes::{
    Answer, aws,
    salesforce::{REVOKE, TOKEN, USERINFO},
};
use serde_json::{Value, json};

use crate::world::{DAY_MS, NOW, TABLE, World, chat, handle, is_done, number, record, text};

const OLD: &str = "5Aep861!OLD";
/// What Salesforce answers where a refresh token is dead.
const DEAD: &str = r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#;

fn refresh(chat: &str) -> Value {
    json!({ "v": 1, "refresh": { "wa_id": chat } })
}

/// A world with one connection, which nobody has refreshed for so many days.
async fn connected(days: u64) -> (World, String) {
    let (world, chat) = (World::start().await, chat(1));
    world.row(&chat, days, world.connection(OLD));
    (world, chat)
}

impl World {
    /// What a row of a connection has beside the usual.
    fn connection(&self, refresh_token: &str) -> Value {
        json!({
            "refresh_token": text(refresh_token),
            "login_url": text(self.server.url()),
            "attempt_id": text("07070707070707070707070707070707"),
            "consented_at": number(NOW.millis() - 90 * DAY_MS),
        })
    }

    fn item(&self, chat: &str) -> Value {
        self.tables.item(TABLE, chat)
    }

    /// The table refuses every write that follows a refresh.
    fn refuse_what_was_refreshed(&self) {
        let (server, answer) = (self.server.clone(), self.server.tokens(crate::world::CLIENT_SECRET));
        self.server.on(TOKEN, move |_| {
            (0..40).for_each(|_| server.next("UpdateItem", aws::error("ResourceNotFoundException")));
            answer.clone()
        });
    }

    /// The one message with this content that was put on the queue by itself.
    fn sent(&self, content: &str) -> Value {
        let calls = self.server.requests("SendMessage").into_iter();
        let bodies = calls.map(|call| call.json()["MessageBody"].as_str().unwrap().to_owned());
        let bodies = bodies.map(|body| serde_json::from_str::<Value>(&body).unwrap());
        let [body] = bodies.filter(|body| body.get(content).is_some()).collect::<Vec<_>>().try_into().unwrap();
        body
    }

    /// A message with tokens that were refreshed and not stored.
    async fn refreshed_and_not_stored(&self, chat: &str) -> Value {
        self.refuse_what_was_refreshed();
        assert!(is_done(&self.function(), &refresh(chat)).await);
        self.server.forget_script();
        self.sent("store")
    }
}

fn assert_refreshed(row: &Value) {
    assert_eq!(row["access_token"], text("00Dxx!ACCESS"));
    assert_eq!(row["refreshed_at"], number(NOW.millis()));
    assert!(row["refresh_token"]["S"].as_str().unwrap().starts_with("sealed:v1:"), "{row}");
    assert!(row.get("lease_until").is_none() && row.get("lost_at").is_none(), "{row}");
}

#[tokio::test]
async fn a_due_row_is_refreshed_once_however_often_it_is_queued() {
    let (world, chat) = connected(25).await;
    let function = world.function();
    for _ in 0..3 {
        assert!(is_done(&function, &refresh(&chat)).await);
    }
    assert_refreshed(&world.item(&chat));
    let form = world.server.only_request(TOKEN).form();
    assert!(form.contains(&("refresh_token".to_owned(), OLD.to_owned())), "{form:?}");
}

#[tokio::test]
async fn two_messages_of_one_batch_refresh_a_row_once() {
    let (world, chat) = connected(25).await;
    let records = ["a", "b"].map(|id| record(id, &refresh(&chat).to_string(), 1));
    assert!(handle(&world.function(), &records).await.len() <= 1, "who was second may look again later");
    assert_eq!(world.server.count(TOKEN), 1);
    assert_refreshed(&world.item(&chat));
}

#[tokio::test]
async fn a_row_that_has_changed_since_it_was_queued_is_left_alone() {
    let (world, refreshed) = connected(1).await;
    world.row(&chat(2), 25, json!({ "ended_at": number(NOW.millis() - 1), "refresh_token": text("") }));
    let before = [world.item(&refreshed), world.item(&chat(2))];
    for number in 1..=3 {
        assert!(is_done(&world.function(), &refresh(&chat(number))).await, "{number}");
    }
    assert_eq!(world.server.count(TOKEN), 0);
    assert_eq!([world.item(&refreshed), world.item(&chat(2))], before);
}

#[tokio::test]
async fn while_salesforce_is_down_a_refresh_waits_and_nothing_ends() {
    let (world, chat) = connected(25).await;
    world.server.on(TOKEN, |_| Answer::retry_after("600"));
    assert!(!is_done(&world.function(), &refresh(&chat)).await);
    assert_eq!(world.visibility_timeouts(), [600], "as Salesforce has asked");
    let row = world.item(&chat);
    assert_eq!(row["refresh_token"], text(OLD));
    assert!(row.get("ended_at").is_none() && row.get("lease_until").is_none(), "{row}");
}

#[tokio::test]
async fn after_some_hours_a_refresh_is_left_to_the_next_sweep() {
    let (world, chat) = connected(25).await;
    world.server.on(TOKEN, |_| Answer::retry_after("600"));
    let function = world.function();
    let receive = async |receives| handle(&function, &[record("one", &refresh(&chat).to_string(), receives)]).await;
    assert_eq!(receive(11).await, ["one"]);
    assert!(receive(12).await.is_empty());
    assert_eq!(world.item(&chat)["refresh_token"], text(OLD));
    let page = json!({ "segment": 0, "segments": 1, "started_at": NOW.millis(), "pause_s": 0 });
    assert!(is_done(&function, &json!({ "v": 1, "page": page })).await);
    assert_eq!(world.refreshes(), [chat]);
}

#[tokio::test]
async fn a_connection_that_salesforce_has_ended_is_ended_and_recorded() {
    let (world, chat) = connected(25).await;
    world.server.on(TOKEN, |_| Answer::new(400, DEAD));
    assert!(is_done(&world.function(), &refresh(&chat)).await);
    let row = world.item(&chat);
    assert_eq!(row["ended_reason"], text("expired"));
    assert!(row.get("refresh_token").is_none() && row.get("access_token").is_none(), "{row}");
    let record = world.tables.item("connection_attempts", row["end_id"]["S"].as_str().unwrap());
    assert_eq!((&record["status"], &record["wa_id"]), (&text("ended"), &text(&chat)));
    assert!(is_done(&world.function(), &refresh(&chat)).await);
    assert_eq!(world.server.count(TOKEN), 1);
}

/// A connection that was never given a refresh token.
async fn without_refresh_token() -> (World, String) {
    let (world, chat) = (World::start().await, chat(1));
    let mut row = world.connection("");
    row["instance_url"] = text(world.server.url());
    world.row(&chat, 25, row);
    (world, chat)
}

#[tokio::test]
async fn a_connection_without_a_refresh_token_that_salesforce_refuses_is_ended_and_recorded() {
    let (world, chat) = without_refresh_token().await;
    world.server.on(USERINFO, |_| Answer::new(403, "Bad_OAuth_Token"));
    assert!(is_done(&world.function(), &refresh(&chat)).await);
    let row = world.item(&chat);
    assert_eq!(row["ended_reason"], text("expired"));
    assert!(row.get("access_token").is_none(), "{row}");
    let record = world.tables.item("connection_attempts", row["end_id"]["S"].as_str().unwrap());
    assert_eq!(record["status"], text("ended"));
    assert_eq!(world.server.count(TOKEN), 0);
}

#[tokio::test]
async fn a_connection_without_a_refresh_token_stays_until_salesforce_refuses_it() {
    for answer in [Answer::new(200, "{}"), Answer::new(503, ""), Answer::new(403, "API_CURRENTLY_DISABLED")] {
        let (world, chat) = without_refresh_token().await;
        world.server.on(USERINFO, move |_| answer.clone());
        let before = world.item(&chat);
        assert!(is_done(&world.function(), &refresh(&chat)).await, "the next sweep asks again");
        assert_eq!(world.item(&chat), before);
    }
}

#[tokio::test]
async fn tokens_that_the_table_refused_are_stored_from_the_queue() {
    let (world, chat) = connected(25).await;
    let message = world.refreshed_and_not_stored(&chat).await;
    let sent = message.to_string();
    assert!(!sent.contains("REFRESH") && !sent.contains("ACCESS"), "they are sealed");
    assert_eq!(world.item(&chat)["refresh_token"], text(OLD));
    for _ in 0..2 {
        assert!(is_done(&world.function(), &message).await);
        assert_refreshed(&world.item(&chat));
    }
    assert_eq!(world.server.count(TOKEN), 1);
}

#[tokio::test]
async fn tokens_wait_on_the_queue_for_as_long_as_the_table_refuses_them() {
    let (world, chat) = connected(25).await;
    let message = world.refreshed_and_not_stored(&chat).await;
    for _ in 0..5 {
        world.server.next("UpdateItem", aws::error("ResourceNotFoundException"));
    }
    let function = world.function();
    for receives in [1, 2, 3, 12, 300] {
        assert_eq!(handle(&function, &[record("one", &message.to_string(), receives)]).await, ["one"]);
    }
    assert_eq!(world.visibility_timeouts(), [2, 5, 10, 60, 60]);
    assert!(is_done(&function, &message).await);
    assert_refreshed(&world.item(&chat));
}

#[tokio::test]
async fn tokens_of_a_row_that_has_changed_since_are_not_stored_and_are_revoked() {
    let (world, chat) = connected(25).await;
    let message = world.refreshed_and_not_stored(&chat).await;
    let mut newer = world.item(&chat);
    newer["refresh_token"] = text("5Aep861!OF A NEWER CONSENT");
    newer["consented_at"] = number(NOW.millis());
    world.tables.put(TABLE, &chat, newer.clone());
    assert!(is_done(&world.function(), &message).await);
    assert_eq!(world.item(&chat), newer);
    world.server.on(REVOKE, |_| Answer::new(200, ""));
    assert!(is_done(&world.function(), &world.sent("revoke")).await);
    let form = world.server.only_request(REVOKE).form();
    assert!(form.contains(&("token".to_owned(), "5AepREFRESH".to_owned())), "{form:?}");
}

#[tokio::test]
async fn tokens_that_do_not_open_go_back_to_the_queue() {
    let (world, chat) = connected(25).await;
    let mut message = world.refreshed_and_not_stored(&chat).await;
    message["store"]["wa_id"] = crate::world::chat(2).into();
    assert!(!is_done(&world.function(), &message).await, "they are another chat's");
    assert_eq!(world.item(&crate::world::chat(2)), Value::Null);
}

/// The message that revokes what a refresh has brought for a row that was another's by then.
async fn revocation() -> (World, String, Value) {
    let (world, chat) = connected(25).await;
    let message = world.refreshed_and_not_stored(&chat).await;
    let mut newer = world.item(&chat);
    newer["refresh_token"] = text("5Aep861!NEWER");
    newer["consented_at"] = number(NOW.millis());
    world.tables.put(TABLE, &chat, newer);
    assert!(is_done(&world.function(), &message).await);
    let message = world.sent("revoke");
    (world, chat, message)
}

#[tokio::test]
async fn a_token_that_the_row_holds_is_not_revoked() {
    let (world, chat, message) = revocation().await;
    let mut row = world.item(&chat);
    row["refresh_token"] = text("5AepREFRESH");
    world.tables.put(TABLE, &chat, row);
    assert!(is_done(&world.function(), &message).await);
    assert_eq!(world.server.count(REVOKE), 0);
}

#[tokio::test]
async fn a_token_is_revoked_once_salesforce_is_back() {
    let (world, _, message) = revocation().await;
    world.server.next(REVOKE, Answer::new(503, ""));
    world.server.on(REVOKE, |_| Answer::new(200, ""));
    let function = world.function();
    assert_eq!(handle(&function, &[record("one", &message.to_string(), 4)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [900]);
    assert!(is_done(&function, &message).await);
}

#[tokio::test]
async fn a_revocation_without_tries_left_becomes_a_dead_letter_and_asks_nobody() {
    let (world, _, message) = revocation().await;
    assert_eq!(handle(&world.function(), &[record("one", &message.to_string(), 12)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [2]);
    assert_eq!(world.server.count(REVOKE), 0);
}
