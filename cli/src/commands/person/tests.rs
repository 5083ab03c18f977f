//! Erasing a chat, against DynamoDB on a local port.

use std::collections::HashMap;

use fakes::{Answer, Server};

use super::{pending::tests::row, *};
use crate::{
    aws::{Standing, tests::config_of},
    records::{Unreadable, connection, tests::attempt},
    stack::{Resource, Stack},
};

/// An hour after the attempts' last write.
const NOW: Timestamp = Timestamp::from_millis(1_790_003_601_000);

fn chat() -> WaId {
    "whatsapp:+15551234567".parse().unwrap()
}

fn told() -> Item {
    attempt(&json!({"notified_at": 1_790_000_002_000_u64}))
}

fn listed(attempts: Vec<Item>) -> Listed {
    Listed { attempts, ..Listed::default() }
}

fn references() -> Vec<KeptReference> {
    vec![KeptReference { key: "reference#08".to_owned(), reference: "crm/42".parse().ok() }]
}

async fn erasure(server: &Server) -> Erasure {
    let outputs = ["TokenTableName", "AttemptTableName", "LimitTableName"];
    let outputs = outputs.map(|name| (name.to_owned(), name.to_owned())).into();
    let pending = Resource {
        logical: "PendingTable".to_owned(),
        physical: "PendingTableName".to_owned(),
        kind: "AWS::DynamoDB::Table".to_owned(),
    };
    let stack = Stack::new("connect".to_owned(), String::new(), HashMap::new(), outputs, vec![pending]);
    Erasure::new(&config_of(server).await, &stack).unwrap()
}

/// The tables from which something was deleted, in order.
fn deleted_from(server: &Server) -> Vec<String> {
    let requests = server.requests("DeleteItem");
    requests.iter().map(|request| request.json()["TableName"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_number_that_means_two_chats_is_refused() {
    let known = |address: &str| {
        (
            address.parse().unwrap(),
            Known { connection: None, listed: listed(vec![told()]), references: Vec::new(), pending: Vec::new() },
        )
    };
    let (one, other) = ("whatsapp:+15551234567", "whatsapp:15551234567");
    assert_eq!(one_of(vec![known(other)]).unwrap().unwrap().0.as_str(), other);
    let error = one_of(vec![known(one), known(other)]).err().unwrap();
    assert_eq!((error.exit(), error.to_string().contains("1555")), (Exit::Usage, false));
    assert!(one_of::<Known>(Vec::new()).unwrap().is_none());
}

#[test]
fn what_is_under_way_is_left_and_says_why() {
    let untold = attempt(&json!({"status": "ended", "reason": "revoked"}));
    let exchanging = attempt(&json!({"status": "exchanging", "updated_at": NOW.millis() - 60_000}));
    let dead = [told().attempt_id];
    for (attempt, dead, why) in [
        (untold, &[][..], "its outcome has not been told yet"),
        (exchanging, &[], "its code is being exchanged"),
        (told(), &dead, "its message is a dead letter; wasf dlq redrive or drop it first"),
    ] {
        let plan = Plan::of(&listed(vec![attempt]), &[], dead, NOW);
        assert_eq!(plan.left.iter().map(|left| left.why).collect::<Vec<_>>(), [why]);
        assert!(plan.deleted.is_empty());
    }
}

#[test]
fn what_nobody_will_finish_any_more_is_erased() {
    let later = NOW.plus(Duration::from_hours(25));
    for abandoned in
        [attempt(&json!({"status": "failed", "reason": "denied"})), attempt(&json!({"status": "exchanging"}))]
    {
        assert!(Plan::of(&listed(vec![abandoned]), &[], &[], later).left.is_empty());
    }
}

#[tokio::test]
async fn attempts_are_deleted_as_they_were_read_and_the_row_at_last() {
    let server = Server::start().await;
    server.on("DeleteItem", |_| json!({}).into());
    let mut known = listed(vec![told()]);
    known.unreadable.push(Unreadable { key: "another system's".to_owned(), why: "no status".to_owned() });
    let erased =
        delete(&chat(), Plan::of(&known, &[], &[], NOW), (&references(), &[]), &erasure(&server).await).await.unwrap();
    assert_eq!((erased.attempts, erased.references, erased.row, erased.left.len()), (2, 1, true, 0));
    let attempts = ["AttemptTableName"; 3];
    assert_eq!(
        deleted_from(&server),
        [&attempts[..], &["LimitTableName", "LimitTableName", "TokenTableName"]].concat()
    );
    let requests = server.requests("DeleteItem");
    let values = json!({":wa_id": {"S": "whatsapp:+15551234567"}, ":updated_at": {"N": "1790000001000"}});
    assert_eq!(requests[0].json()["ExpressionAttributeValues"], values);
    assert_eq!(requests[1].json()["Key"], json!({"attempt_id": {"S": "another system's"}}));
    assert_eq!(requests[2].json()["Key"], json!({"attempt_id": {"S": "reference#08"}}));
    let limits = [&requests[3], &requests[4]].map(|request| request.json()["Key"]["id"]["S"].clone());
    assert_eq!(limits, ["chat:whatsapp:+15551234567", "guess:whatsapp:+15551234567"]);
    let row = requests[5].json();
    assert!(row["ConditionExpression"].as_str().unwrap().contains("attribute_not_exists(refresh_token)"), "{row}");
    assert_eq!(erased.report(Some(Revoked::AtSalesforce(Revocation::Revoked))).exit, Exit::Done);
}

#[test]
fn an_erasure_says_who_revokes_sealed_tokens() {
    let report =
        Erased { attempts: 2, references: 0, pending: 0, row: true, left: Vec::new() }.report(Some(Revoked::Queued));
    assert!(report.text.contains("The upkeep queue has the tokens revoked"), "{}", report.text);
    assert_eq!((report.exit, &report.json["salesforce"]), (Exit::Done, &json!("queued")));
}

#[tokio::test]
async fn an_attempt_that_changed_meanwhile_is_left_and_the_row_with_it() {
    let server = Server::start().await;
    server.on("DeleteItem", |_| fakes::aws::error("ConditionalCheckFailedException"));
    let erased = delete(&chat(), Plan::of(&listed(vec![told()]), &[], &[], NOW), (&[], &[]), &erasure(&server).await)
        .await
        .unwrap();
    assert_eq!(deleted_from(&server), ["AttemptTableName"]);
    let report = erased.report(None);
    assert_eq!(
        (report.exit, &report.json["connection"], &report.json["attempts"]),
        (Exit::InPart, &json!(false), &json!(0))
    );
    assert!(
        report.text.contains("it has changed meanwhile") && report.text.contains("run it again"),
        "{}",
        report.text
    );
}

#[tokio::test]
async fn a_row_that_has_tokens_again_is_left() {
    let server = Server::start().await;
    server.next("DeleteItem", json!({}));
    server.next("DeleteItem", json!({}));
    server.next("DeleteItem", fakes::aws::error("ConditionalCheckFailedException"));
    let erased = delete(&chat(), Plan::of(&listed(Vec::new()), &[], &[], NOW), (&[], &[]), &erasure(&server).await)
        .await
        .unwrap();
    assert_eq!(erased.left.iter().map(|left| left.why).collect::<Vec<_>>(), ["the chat has connected meanwhile"]);
    assert_eq!(erased.report(None).exit, Exit::InPart);
}

#[tokio::test]
async fn a_table_that_refuses_fails_the_command() {
    let server = Server::start().await;
    server.on("DeleteItem", |_| Answer::json(400, &json!({"__type": "AccessDeniedException"})));
    let error = delete(&chat(), Plan::of(&listed(vec![told()]), &[], &[], NOW), (&[], &[]), &erasure(&server).await)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("DeleteItem failed: AccessDeniedException"), "{error}");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_what_stays() {
    let known = Known {
        connection: Some(connection::example(&json!({}))),
        listed: listed(vec![told()]),
        references: references(),
        pending: Vec::new(),
    };
    let report = dry_run(&known, &[], NOW);
    assert_eq!((report.exit, &report.json["dry_run"], &report.json["attempts"]), (Exit::Done, &json!(true), &json!(1)));
    for text in
        ["revoke the tokens at Salesforce", "delete 1 attempt, 1 reference. Run it again with --confirm.", "24 hours"]
    {
        assert!(report.text.contains(text), "{}", report.text);
    }
}

#[test]
fn a_person_is_shown_by_connection_and_attempts_and_without_a_token() {
    let row = connection::example(&json!({"refresh_token": "5Aep861"}));
    let known =
        Known { connection: Some(row), listed: listed(vec![told()]), references: references(), pending: Vec::new() };
    let report = known.report(NOW);
    assert_eq!((&report.json["connection"]["username"], report.exit), (&json!("ada@example.com"), Exit::Done));
    assert_eq!(report.json["attempts"][0]["attempt_id"], "07".repeat(16));
    assert!(!report.json["kept"].as_array().unwrap().is_empty());
    assert_eq!(report.json["references"], json!(["crm/42"]));
    assert!(report.text.contains("crm/42"), "{}", report.text);
    assert!(!format!("{}{}", report.text, report.json).contains("5Aep861"));
}

/// An attempt that waits, with the id of [`row`].
fn unconfirmed() -> Item {
    attempt(&json!({
        "attempt_id": "09".repeat(16), "status": "unconfirmed", "updated_at": NOW.millis() - 60_000,
    }))
}

#[test]
fn a_login_whose_code_was_sent_is_left_until_its_tokens_are_stored_or_revoked() {
    let sent = pending::holding(&[row(true, Standing::Sent)]);
    let plan = Plan::of(&listed(vec![unconfirmed()]), &sent, &[], NOW.plus(Duration::from_hours(48)));
    assert_eq!(plan.left.iter().map(|left| left.why).collect::<Vec<_>>(), [HOLDING]);
    let settled = pending::holding(&[row(true, Standing::Settled)]);
    assert!(settled.is_empty());
    let plan = Plan::of(&listed(vec![unconfirmed()]), &settled, &[], NOW);
    assert_eq!(plan.left.iter().map(|left| left.why).collect::<Vec<_>>(), ["it waits for its chat's code"]);
}

#[test]
fn a_dry_run_counts_the_logins_that_wait_and_what_is_left_of_others() {
    let waiting = row(true, Standing::Waiting { until: None });
    let known = Known {
        connection: None,
        listed: listed(vec![told(), unconfirmed()]),
        references: Vec::new(),
        pending: vec![waiting, row(false, Standing::EarlyCode)],
    };
    let report = dry_run(&known, &[], NOW);
    assert_eq!(
        (&report.json["waiting"], &report.json["pending"], &report.json["attempts"]),
        (&json!(1), &json!(2), &json!(2))
    );
    assert_eq!(report.json["left"], json!([]));
    for text in ["end 1 login that waits for its code", "delete 2 rows of pending logins"] {
        assert!(report.text.contains(text), "{}", report.text);
    }
    let sent = Known { pending: vec![row(true, Standing::Sent)], ..known };
    assert_eq!(dry_run(&sent, &[], NOW).json["left"][0]["why"], HOLDING);
}

#[tokio::test]
async fn rows_of_pending_logins_go_once_no_tokens_are_held_in_them() {
    let server = Server::start().await;
    server.on("DeleteItem", |_| json!({}).into());
    let rows = [row(true, Standing::Settled), row(false, Standing::EarlyCode)];
    let plan = Plan::of(&listed(Vec::new()), &[], &[], NOW);
    let erased = delete(&chat(), plan, (&[], &rows), &erasure(&server).await).await.unwrap();
    assert_eq!((erased.pending, erased.left.len()), (2, 0));
    let request = server.requests("DeleteItem")[0].json();
    assert_eq!(
        (&request["TableName"], &request["Key"]),
        (&json!("PendingTableName"), &json!({"proof": {"S": "A".repeat(43)}}))
    );
    let condition = "attribute_not_exists(attempt_id) OR attribute_exists(settled_at)";
    assert_eq!(request["ConditionExpression"], condition);
}

#[tokio::test]
async fn a_row_that_holds_tokens_is_left_and_the_connection_with_it() {
    let server = Server::start().await;
    server.on("DeleteItem", |_| fakes::aws::error("ConditionalCheckFailedException"));
    let plan = Plan::of(&listed(Vec::new()), &[], &[], NOW);
    let erased = delete(&chat(), plan, (&[], &[row(true, Standing::Sent)]), &erasure(&server).await).await.unwrap();
    assert_eq!(deleted_from(&server), ["PendingTableName"]);
    assert_eq!(erased.left, [Left { what: "09".repeat(16), why: HOLDING }]);
    assert_eq!(erased.report(None).exit, Exit::InPart);
}

#[test]
fn a_person_is_shown_with_the_logins_that_wait_and_without_their_codes() {
    let pending = vec![row(true, Standing::Waiting { until: None })];
    let known = Known { connection: None, listed: listed(Vec::new()), references: Vec::new(), pending };
    assert!(!known.is_nothing());
    let report = known.report(NOW);
    assert_eq!(report.json["pending"][0]["standing"], "waiting");
    assert!(report.text.contains("waits for its code"), "{}", report.text);
    assert!(!format!("{}{}", report.text, report.json).contains(&"A".repeat(43)));
}
