//! Logins that wait for the chat's code, and codes that it has sent.
//!
//! A login that waits is given up first: what is held is revoked at Salesforce by the exchanger, as if nobody had sent the code
//! in time. Its row goes once that is done.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{AttemptId, WaId, timestamp::Clock};
use tokio::time::sleep;

use crate::{
    aws::{PendingRow, PendingTable, Queue, Standing},
    error::Error,
    report::{Progress, Table, clock_time, count, print_note},
    target::Target,
};

/// How often, and how many times, it is asked whether the tokens have been revoked.
const POLL: Duration = Duration::from_millis(1_500);
const POLLS: usize = 20;

/// The chat's rows; none in a stack of an earlier version.
pub(super) async fn read(wa_id: &WaId, target: &Target) -> Result<Vec<PendingRow>, Error> {
    match PendingTable::of(&target.aws, &target.stack) {
        Some(table) => table.of_chat(wa_id).await,
        None => Ok(Vec::new()),
    }
}

/// The logins of the chat that nobody has sent the code of.
pub(super) fn waiting(rows: &[PendingRow]) -> Vec<AttemptId> {
    let waits = |row: &&PendingRow| row.is_own && matches!(row.standing, Standing::Waiting { .. } | Standing::Expired);
    rows.iter().filter(waits).filter_map(|row| row.attempt_id).collect()
}

/// The logins whose tokens are still to be stored or revoked.
pub(super) fn holding(rows: &[PendingRow]) -> Vec<AttemptId> {
    rows.iter().filter(|row| row.holds_tokens()).filter_map(|row| row.attempt_id).collect()
}

/// Gives up the logins that wait, and waits for half a minute until their tokens have been revoked. Returns their attempts.
pub(super) async fn give_up(
    wa_id: &WaId,
    rows: &[PendingRow],
    target: &Target,
    clock: Clock,
) -> Result<Vec<AttemptId>, Error> {
    let Some(table) = PendingTable::of(&target.aws, &target.stack) else { return Ok(Vec::new()) };
    let queue = Queue::new(&target.aws, target.stack.output("ExchangeQueueUrl")?);
    let (mut given_up, mut are_sent) = (Vec::new(), true);
    for row in rows.iter().filter(|row| row.is_own && row.holds_tokens()) {
        let Some(held) = table.withdraw(&row.proof, clock()).await? else { continue };
        given_up.push(held.attempt_id);
        let Some(message) = held.message(&row.proof) else { continue };
        if let Err(error) = queue.send(&SecretString::from(message.to_body())).await {
            // The upkeep queue has a message that comes then.
            print_note(&format!("{error}. The tokens are revoked when the time for the login's code is over."));
            are_sent = false;
        }
    }
    if are_sent && !given_up.is_empty() {
        settled(wa_id, &given_up, &table).await?;
    }
    Ok(given_up)
}

/// Returns once no tokens of these logins are held, or after half a minute.
async fn settled(wa_id: &WaId, logins: &[AttemptId], table: &PendingTable) -> Result<(), Error> {
    let mut progress = Progress::of("asked whether the held tokens have been revoked");
    for asked in 1..=POLLS {
        let held = holding(&table.of_chat(wa_id).await?);
        if !logins.iter().any(|login| held.contains(login)) {
            break;
        }
        progress.show(asked, Some(POLLS));
        sleep(POLL).await;
    }
    Ok(())
}

/// For people; empty where there is nothing.
pub(super) fn text(rows: &[PendingRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::with_header(["LOGIN THAT ASKED FOR A CODE", "STANDING"]);
    for row in rows {
        let login = row.attempt_id.map(|id| id.to_string()).unwrap_or_default();
        let is_of_another = !row.is_own && row.standing != Standing::EarlyCode;
        let whose = if is_of_another { "of another chat; this one sent its code; " } else { "" };
        table.row([login, format!("{whose}{}", words(row.standing))]);
    }
    format!("\n{}", table.text())
}

fn words(standing: Standing) -> String {
    match standing {
        Standing::EarlyCode => "a code that no login waits for; forgotten after 15 minutes".to_owned(),
        Standing::Waiting { until: Some(until) } => format!("waits for its code until {}", clock_time(until)),
        Standing::Waiting { until: None } => "waits for its code".to_owned(),
        Standing::Expired => "its time is over, and its tokens are being revoked".to_owned(),
        Standing::Sent => "its code was sent, and its tokens are being stored or revoked".to_owned(),
        Standing::Settled => "over; kept for 24 hours, without tokens".to_owned(),
    }
}

/// For programs.
pub(super) fn json(rows: &[PendingRow]) -> Value {
    let name = |standing| match standing {
        Standing::EarlyCode => "early_code",
        Standing::Waiting { .. } => "waiting",
        Standing::Expired => "expired",
        Standing::Sent => "sent",
        Standing::Settled => "settled",
    };
    let until = |standing| match standing {
        Standing::Waiting { until } => until,
        _ => None,
    };
    let of = |row: &PendingRow| {
        json!({
            "attempt_id": row.attempt_id, "own": row.is_own, "standing": name(row.standing),
            "confirm_until": until(row.standing),
        })
    };
    rows.iter().map(of).collect()
}

/// For a sentence that says what would be done; nothing where there is nothing.
pub(super) fn plan(rows: &[PendingRow]) -> String {
    let logins = match waiting(rows).len() {
        0 => String::new(),
        logins => format!("end {} that waits for its code, with its tokens revoked; ", count(logins, "login")),
    };
    // Those that wait are rows too, once they are over.
    let rows = match rows.len() {
        0 => String::new(),
        rows => format!("delete {} of pending logins; ", count(rows, "row")),
    };
    format!("{logins}{rows}")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;

    use fakes::{Answer, Server};
    use shared::{Timestamp, proof::ChatProof};

    use super::*;
    use crate::{
        aws::tests::config_of,
        stack::{Resource, Stack},
    };

    pub(in crate::commands::person) fn row(is_own: bool, standing: Standing) -> PendingRow {
        let attempt_id = (standing != Standing::EarlyCode).then(|| AttemptId::from_bytes([9; 16]));
        PendingRow { proof: ChatProof::parse(&"A".repeat(43)).unwrap(), attempt_id, is_own, standing }
    }

    fn waits() -> PendingRow {
        row(true, Standing::Waiting { until: Some(Timestamp::from_millis(1_790_000_600_000)) })
    }

    #[test]
    fn a_login_of_the_chat_can_be_given_up_until_a_code_was_sent() {
        assert_eq!(waiting(&[waits(), row(true, Standing::Expired)]).len(), 2);
        for not in [row(true, Standing::Sent), row(true, Standing::Settled), row(false, Standing::Sent)] {
            assert!(waiting(std::slice::from_ref(&not)).is_empty(), "{not:?}");
        }
    }

    #[test]
    fn a_row_is_shown_by_its_login_and_never_by_its_code() {
        let rows = [waits(), row(false, Standing::Sent), row(false, Standing::EarlyCode)];
        let shown = format!("{}{}", text(&rows), json(&rows));
        assert!(!shown.contains(&"A".repeat(43)), "{shown}");
        for said in ["waits for its code until 2026-09-21T14:23:20Z", "of another chat", "early_code", "1790000600000"]
        {
            assert!(shown.contains(said), "{shown}");
        }
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn a_code_that_no_login_waits_for_is_of_no_other_chat() {
        let shown = text(&[row(false, Standing::EarlyCode)]);
        let last = shown.lines().last().unwrap().trim();
        assert_eq!(last, "a code that no login waits for; forgotten after 15 minutes");
    }

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    async fn target(server: &Server) -> Target {
        let resource = Resource {
            logical: "PendingTable".to_owned(),
            physical: "pending".to_owned(),
            kind: "AWS::DynamoDB::Table".to_owned(),
        };
        let outputs = HashMap::from([("ExchangeQueueUrl".to_owned(), format!("{}/exchange", server.url()))]);
        let stack = Stack::new("connect".to_owned(), String::new(), HashMap::new(), outputs, vec![resource]);
        Target { aws: config_of(server).await, stack }
    }

    fn held(changes: &Value) -> Value {
        let mut row = json!({
            "proof": {"S": "A".repeat(43)}, "attempt_id": {"S": "09".repeat(16)},
            "wa_id": {"S": "whatsapp:+15551234567"}, "confirm_until": {"N": "1790000600000"}, "state": {"S": "state"},
            "received_at": {"N": "1790000000000"}, "code_sha256": {"S": "ab"}, "sealed_key": {"S": "a2V5"},
            "sealed_tokens": {"S": "ZGF0YQ=="},
        });
        row.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        row
    }

    async fn given_up(server: &Server, rows: &[PendingRow]) -> Vec<AttemptId> {
        let chat = "whatsapp:+15551234567".parse().unwrap();
        give_up(&chat, rows, &target(server).await, || NOW).await.unwrap()
    }

    #[tokio::test]
    async fn a_login_that_waits_is_given_up_and_the_exchanger_revokes_its_tokens() {
        let server = Server::start().await;
        server.next("UpdateItem", json!({"Attributes": held(&json!({}))}));
        server.next("SendMessage", json!({"MessageId": "m"}));
        server.next("Scan", json!({"Items": [held(&json!({"settled_at": {"N": "1790000001000"}}))]}));
        assert_eq!(given_up(&server, &[waits()]).await, [AttemptId::from_bytes([9; 16])]);
        let sent = server.requests("SendMessage")[0].json();
        assert_eq!(sent["QueueUrl"], format!("{}/exchange", server.url()));
        let message: Value = serde_json::from_str(sent["MessageBody"].as_str().unwrap()).unwrap();
        assert_eq!(message["decided"], json!({"proof": "A".repeat(43), "code_sha256": "ab"}));
    }

    #[tokio::test]
    async fn a_login_whose_code_was_sent_meanwhile_is_not_given_up() {
        let server = Server::start().await;
        let mut refused = json!({"__type": "ConditionalCheckFailedException"});
        refused["Item"] = held(&json!({"sender": {"S": "whatsapp:+15551234567"}}));
        server.next("UpdateItem", Answer::json(400, &refused));
        assert!(
            given_up(&server, &[waits(), row(true, Standing::Settled), row(false, Standing::Sent)]).await.is_empty()
        );
    }

    #[tokio::test]
    async fn an_operator_who_may_not_send_to_the_queue_leaves_the_revocation_to_the_end_of_the_time() {
        let server = Server::start().await;
        server.next("UpdateItem", json!({"Attributes": held(&json!({}))}));
        server.on("SendMessage", |_| Answer::json(400, &json!({"__type": "AccessDeniedException"})));
        assert_eq!(given_up(&server, &[waits()]).await.len(), 1);
    }
}
