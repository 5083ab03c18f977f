//! Ending a connection, against DynamoDB and Salesforce on a local port.

use fakes::{Answer, Server, salesforce::REVOKE};
use serde_json::{Value as Json, json};

use shared::Timestamp;

use super::*;
use crate::aws::tests::config_of;

/// Revocation at a site of the same host, where people log in.
const AT_SITE: &str = "/site/services/oauth2/revoke";

struct World {
    server: Server,
    tokens: ConnectionTable,
    attempts: AttemptTable,
    revoker: Revoker,
}

impl World {
    async fn start() -> Self {
        let server = Server::start().await;
        let aws = config_of(&server).await;
        let login_urls = server.url().parse().unwrap();
        let upkeep = Some(Queue::new(&aws, &format!("{}/upkeep", server.url())));
        let (tokens, attempts) =
            (ConnectionTable::new(&aws, "salesforce_tokens"), AttemptTable::new(&aws, "connection_attempts"));
        Self { server, tokens, attempts, revoker: Revoker { login_urls, upkeep } }
    }

    /// The row holds these tokens, at one reading.
    fn row(&self, tokens: &[(&str, &str)]) {
        let mut item = json!({"wa_id": {"S": "whatsapp:+15551234567"}, "instance_url": {"S": self.server.url()}});
        item["login_url"] = json!({"S": format!("{}/site", self.server.url())});
        for (name, value) in tokens {
            item[name] = json!({"S": value});
        }
        self.server.next("GetItem", Answer::json(200, &json!({"Item": item})));
    }

    fn refuses_the_write(&self) {
        let refused = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons": [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}],
        });
        self.server.next("TransactWriteItems", Answer::json(400, &refused));
    }

    async fn end(&self) -> Result<Option<Revoked>, Error> {
        self.ended().await.map(|ended| ended.revocation)
    }

    async fn ended(&self) -> Result<Ended, Error> {
        let wa_id = "whatsapp:+15551234567".parse().unwrap();
        let clock = || Timestamp::from_millis(1_790_000_000_000);
        end_connection(&wa_id, (&self.tokens, &self.attempts), &self.revoker, clock).await
    }

    fn writes(&self) -> Vec<Json> {
        self.server.requests("TransactWriteItems").iter().map(fakes::Request::json).collect()
    }

    fn revoked(&self, endpoint: &str) -> Vec<String> {
        self.server.requests(endpoint).iter().map(|request| request.form()[0].1.clone()).collect()
    }
}

#[tokio::test]
async fn tokens_are_revoked_before_they_leave_the_row() {
    let world = World::start().await;
    world.row(&[("access_token", "00Dx"), ("refresh_token", "5Aep")]);
    world.server.on(AT_SITE, |_| Answer::new(200, ""));
    world.server.on("TransactWriteItems", |_| json!({}).into());
    assert_eq!(world.end().await.unwrap(), Some(Revoked::AtSalesforce(Revocation::Revoked)));
    assert_eq!(world.revoked(AT_SITE), ["5Aep"]);
    let writes = world.writes()[0]["TransactItems"].clone();
    let tombstone = &writes[0]["Update"];
    let update = tombstone["UpdateExpression"].as_str().unwrap();
    let removed = update.split("REMOVE").nth(1).unwrap();
    for name in ["access_token", "refresh_token"] {
        assert!(removed.contains(name), "{update}");
    }
    assert!(tombstone["ConditionExpression"].as_str().unwrap().contains("refresh_token"), "{tombstone}");
}

#[tokio::test]
async fn the_end_is_recorded_with_the_tombstone_for_the_notifier_to_tell() {
    let world = World::start().await;
    let attempt_id = "07".repeat(16);
    world.row(&[("refresh_token", "5Aep"), ("attempt_id", &attempt_id), ("username", "ada@example.com")]);
    let attempt = json!({
        "attempt_id": {"S": attempt_id}, "link_id": {"S": "0a".repeat(16)},
        "status": {"S": "connected"}, "updated_at": {"N": "1"},
    });
    world.server.next("GetItem", Answer::json(200, &json!({"Item": attempt})));
    world.server.on(AT_SITE, |_| Answer::new(200, ""));
    world.server.on("TransactWriteItems", |_| json!({}).into());
    let ended = world.ended().await.unwrap();
    let writes = world.writes()[0]["TransactItems"].clone();
    let (tombstone, record) = (&writes[0]["Update"], &writes[1]["Update"]);
    assert_eq!(
        (&tombstone["TableName"], &record["TableName"]),
        (&json!("salesforce_tokens"), &json!("connection_attempts"))
    );
    assert_eq!(record["Key"], json!({"attempt_id": {"S": ended.record.to_string()}}));
    assert_eq!(tombstone["ExpressionAttributeValues"][":end_id"]["S"], ended.record.to_string());
    let values = &record["ExpressionAttributeValues"];
    for (name, value) in [
        ("status", "ended"),
        ("reason", "revoked"),
        ("wa_id", "whatsapp:+15551234567"),
        ("connected_by", &attempt_id),
        ("link_id", &"0a".repeat(16)),
        ("username", "ada@example.com"),
    ] {
        assert_eq!(values[format!(":{name}")]["S"], value, "{name}");
    }
    assert!(!record.to_string().contains("5Aep"), "a token in the outbox");
}

const SEALED: &str = "sealed:v1:a2V5:bm9uY2U:ZGF0YQ";

/// Nobody but the refresher opens them.
#[tokio::test]
async fn sealed_tokens_go_onto_the_upkeep_queue_before_the_end_is_written() {
    let world = World::start().await;
    let attempt_id = "07".repeat(16);
    world.row(&[("access_token", "00Dx"), ("refresh_token", SEALED), ("attempt_id", &attempt_id)]);
    world.server.next("GetItem", json!({}));
    world.server.on("SendMessage", |_| json!({}).into());
    world.server.on("TransactWriteItems", |_| json!({}).into());
    assert_eq!(world.end().await.unwrap(), Some(Revoked::Queued));
    let operations = world.server.operations();
    let place = |name| operations.iter().position(|operation| operation == name).unwrap();
    assert!(place("SendMessage") < place("TransactWriteItems"), "{operations:?}");

    let sent = world.server.only_request("SendMessage").json();
    assert_eq!(sent["DelaySeconds"], 60);
    let message: Json = serde_json::from_str(sent["MessageBody"].as_str().unwrap()).unwrap();
    let url = world.server.url();
    let expected = json!({
        "wa_id": "whatsapp:+15551234567", "token": SEALED, "hosts": [format!("{url}/site"), url],
        "origin": {"attempt_id": attempt_id, "consented_at": null},
    });
    assert_eq!((&message["v"], &message["revoke"]), (&json!(1), &expected));
    assert_eq!(world.revoked(AT_SITE).len() + world.revoked(REVOKE).len(), 0);
}

#[tokio::test]
async fn nothing_changes_while_the_upkeep_queue_does_not_take_sealed_tokens() {
    let mut world = World::start().await;
    world.row(&[("refresh_token", SEALED)]);
    world.server.on("SendMessage", |_| fakes::aws::error("AccessDenied"));
    world.end().await.unwrap_err();
    assert!(world.writes().is_empty());

    world.row(&[("refresh_token", SEALED)]);
    world.revoker.upkeep = None;
    let error = world.end().await.unwrap_err().to_string();
    assert!(error.contains("UpkeepQueueUrl") && !error.contains(SEALED), "{error}");
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_renewed_meanwhile_is_revoked_too() {
    let world = World::start().await;
    world.server.on(AT_SITE, |_| Answer::new(200, ""));
    world.server.on("TransactWriteItems", |_| json!({}).into());
    world.row(&[("refresh_token", "first")]);
    world.row(&[("refresh_token", "second")]);
    world.refuses_the_write();
    assert_eq!(world.end().await.unwrap(), Some(Revoked::AtSalesforce(Revocation::Revoked)));
    assert_eq!(world.revoked(AT_SITE), ["first", "second"]);
    assert_eq!(world.writes().len(), 2);
}

#[tokio::test]
async fn nothing_changes_while_salesforce_does_not_revoke() {
    let form = "error=unsupported_token_type&error_description=this+token+type+is+not+supported";
    let live = [Answer::new(503, "<html>"), Answer::new(400, form), Answer::new(404, "{}")];
    let answers = live.into_iter().map(|answer| (answer, "the tokens live"));
    for (refusal, said) in answers.chain([(Answer::Lost, "the tokens may be revoked or live")]) {
        let world = World::start().await;
        world.row(&[("access_token", "00Dx")]);
        let at_instance = refusal.clone();
        world.server.on(AT_SITE, move |_| refusal.clone());
        world.server.on(REVOKE, move |_| at_instance.clone());
        let error = world.end().await.unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("00Dx"), "{error}");
        assert!(world.writes().is_empty());
    }
}

#[tokio::test]
async fn the_orgs_own_host_is_asked_where_the_login_host_does_not_know_the_token() {
    let world = World::start().await;
    world.row(&[("refresh_token", "5Aep")]);
    world.server.on(AT_SITE, |_| Answer::new(404, r#"{"error":"Bad_Id"}"#));
    world.server.on(REVOKE, |_| Answer::new(200, ""));
    world.server.on("TransactWriteItems", |_| json!({}).into());
    assert_eq!(world.end().await.unwrap(), Some(Revoked::AtSalesforce(Revocation::Revoked)));
    assert_eq!(world.revoked(REVOKE), ["5Aep"]);
}

#[tokio::test]
async fn a_token_that_salesforce_does_not_know_leaves_the_row() {
    let world = World::start().await;
    world.row(&[("refresh_token", "5Aep")]);
    world.server.on(AT_SITE, |_| Answer::new(404, r#"{"error":"Bad_Id"}"#));
    world.server.on(REVOKE, |_| Answer::new(400, "error=invalid_token&error_description=invalid+token"));
    world.server.on("TransactWriteItems", |_| json!({}).into());
    assert_eq!(world.end().await.unwrap(), Some(Revoked::AtSalesforce(Revocation::Unknown)));
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn a_connection_whose_end_is_recorded_is_not_ended_again() {
    let world = World::start().await;
    let record = "09".repeat(16);
    let item = json!({
        "wa_id": {"S": "whatsapp:+15551234567"}, "ended_at": {"N": "1790000000000"}, "end_id": {"S": record},
    });
    world.server.next("GetItem", Answer::json(200, &json!({"Item": item})));
    let ended = world.ended().await.unwrap();
    assert_eq!((ended.record.to_string(), ended.revocation), (record, None));
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn an_end_that_an_earlier_version_told_nobody_of_is_recorded() {
    let world = World::start().await;
    let item = json!({"wa_id": {"S": "whatsapp:+15551234567"}, "ended_at": {"N": "1790000000000"}});
    world.server.next("GetItem", Answer::json(200, &json!({"Item": item})));
    world.server.on("TransactWriteItems", |_| json!({}).into());
    assert_eq!(world.end().await.unwrap(), None);
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn a_row_that_was_never_a_connection_is_not_ended() {
    let world = World::start().await;
    let item = json!({"wa_id": {"S": "whatsapp:+15551234567"}, "of_the_bot": {"S": "note"}});
    world.server.next("GetItem", Answer::json(200, &json!({"Item": item})));
    assert!(matches!(world.end().await, Err(Error::NothingMatched(_))));
    assert!(world.writes().is_empty());
}

/// Salesforce has revoked the tokens, and the process dies before anything is written.
#[tokio::test]
async fn a_second_revocation_completes_one_that_was_interrupted() {
    let world = World::start().await;
    world.server.on("TransactWriteItems", |_| json!({}).into());
    world.row(&[("refresh_token", "5Aep")]);
    world.server.on(AT_SITE, |_| Answer::new(400, "error=invalid_token&error_description=invalid+token"));
    world.server.on(REVOKE, |_| Answer::new(400, "error=invalid_token&error_description=invalid+token"));
    assert_eq!(world.end().await.unwrap(), Some(Revoked::AtSalesforce(Revocation::Unknown)));
    assert_eq!(world.writes()[0]["TransactItems"].as_array().unwrap().len(), 2);
}

#[test]
fn the_report_says_what_is_known_of_the_telling() {
    let said = |revocation, is_told| report(&Ended { record: AttemptId::from_bytes([9; 16]), revocation }, is_told);
    for (revocation, is_told, words) in [
        (Some(Revoked::AtSalesforce(Revocation::Revoked)), false, "The notifier tells the chat and the bot:"),
        (Some(Revoked::AtSalesforce(Revocation::Unknown)), true, "The chat and the bot have been told:"),
        (Some(Revoked::Queued), false, "the upkeep queue has them revoked at Salesforce"),
        (None, false, "has not yet told both"),
        (None, true, "The chat and the bot have been told:"),
    ] {
        let report = said(revocation, is_told);
        assert!(report.text.contains(words) && report.text.contains("wasf attempt show 0909"), "{}", report.text);
        assert_eq!((report.exit, &report.json["notified"]), (Exit::Done, &json!(is_told)));
    }
}
