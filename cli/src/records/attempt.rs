//! An attempt: in full with its timeline, or in a list.
//!
//! Of its code only a hash is stored, and that is not read.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    Language, Reason, Reference, Status, Timestamp, WaId,
    attempt::{Item, last_error::LastError},
};

use super::Record;
use crate::{
    error::Exit,
    report::{Report, Table, clock_time, duration_text},
};

/// An attempt as JSON in lists, with the phone number masked.
pub(crate) fn attempt_summary(attempt: &Item) -> Value {
    json!({
        "attempt_id": attempt.attempt_id,
        "link_id": attempt.link_id,
        "chat": attempt.wa_id.as_ref().map(WaId::masked),
        "status": attempt.status,
        "reason": attempt.reason,
        "receives": attempt.receives,
        "created_at": attempt.created_at,
        "updated_at": attempt.updated_at,
        "notified_at": attempt.notified_at,
    })
}

/// What happened, in order. Of an earlier outcome nothing is stored.
fn timeline(attempt: &Item) -> Vec<(Timestamp, String)> {
    let status = attempt.status.as_deref().unwrap_or("status unknown");
    let outcome = match (&attempt.reason, &attempt.salesforce_error) {
        _ if attempt.status() == Some(Status::Unconfirmed) => {
            format!("{status}: tokens held until the chat sends its code")
        }
        (Some(reason), Some(error)) => format!("{status}: {reason} (Salesforce: {error})"),
        (Some(reason), None) => format!("{status}: {reason}"),
        (None, _) => status.to_owned(),
    };
    let bot_notified = match attempt.message_error {
        Some(_) => "bot notified; person unreachable",
        None => "bot notified",
    };
    let of = |error: Option<&LastError>| (error.map(|it| it.at), error.map(|it| it.text.clone()).unwrap_or_default());
    let mut steps: Vec<_> = [
        (attempt.created_at, "callback received".to_owned()),
        (attempt.updated_at, outcome),
        (attempt.delay_told_at, "person notified of the delay".to_owned()),
        (attempt.messaged_at.filter(|at| Some(*at) != attempt.delay_told_at), "person notified".to_owned()),
        (attempt.template_at, "template needed".to_owned()),
        (attempt.withheld_at, "message withheld: the chat was told of enough failures".to_owned()),
        (attempt.webhook_told_at.filter(|_| attempt.bot_told_at.is_none()), "bot's webhook notified".to_owned()),
        (attempt.queue_told_at.filter(|_| attempt.bot_told_at.is_none()), "bot's queue notified".to_owned()),
        (attempt.bus_told_at.filter(|_| attempt.bot_told_at.is_none()), "bot's event bus notified".to_owned()),
        (attempt.bot_told_at, bot_notified.to_owned()),
        (attempt.notified_at, "notification complete".to_owned()),
        of(attempt.whatsapp_last_error.as_ref()),
        of(attempt.bot_last_error.as_ref()),
        (attempt.redelivered_at, "redelivered by an operator".to_owned()),
        (attempt.replaced_at, "chat connected again".to_owned()),
    ]
    .into_iter()
    .filter_map(|(at, what)| Some((at?, what)))
    .collect();
    steps.sort_by_key(|(at, _)| *at);
    steps
}

/// What somebody answered last who did not take what they were sent, and whether it is past.
fn last_error(error: Option<&LastError>, told_at: Option<Timestamp>) -> Option<String> {
    let LastError { at, text } = error?;
    let past = if told_at.is_some_and(|told_at| told_at >= *at) { "; notified since" } else { "" };
    Some(format!("{text} ({}{past})", clock_time(*at)))
}

/// Whether its last exchanger has released it, to be tried again.
fn is_waiting(attempt: &Item, now: Timestamp) -> bool {
    let is_exchanging = attempt.status() == Some(Status::Exchanging);
    is_exchanging && !attempt.is_stuck(now) && attempt.lease_until.is_none_or(|until| until < now)
}

/// Until when the chat may send the login's code: the row of the attempt says when its tokens were held.
fn confirm_until(attempt: &Item, proof_time: Option<Duration>) -> Option<Timestamp> {
    let held_at = attempt.updated_at.filter(|_| attempt.status() == Some(Status::Unconfirmed))?;
    Some(held_at.plus(proof_time?))
}

/// One attempt with its timeline, and with its chat unmasked; `proof_time` is how long a chat has for its code.
pub(crate) fn attempt_report(attempt: &Item, proof_time: Option<Duration>, now: Timestamp) -> Report {
    let mut record = Record::default();
    record.field("attempt", "attempt_id", Some(attempt.attempt_id));
    record.field("chat", "wa_id", attempt.wa_id.as_ref().map(WaId::as_str));
    record.field("link", "link_id", attempt.link_id);
    record.field("bot's reference", "reference", attempt.reference.as_ref().map(Reference::as_str));
    record.field("language", "language", attempt.language.map(Language::tag));
    record.field("status", "status", attempt.status.as_deref());
    record.field("connected by", "connected_by", attempt.connected_by);
    record.field("reason", "reason", attempt.reason.as_deref());
    let until = confirm_until(attempt, proof_time);
    record.worded("waits for its chat's code until", until.map(clock_time), "confirm_until", until);
    record.field("Salesforce error", "salesforce_error", attempt.salesforce_error.as_deref());
    record.field("user", "username", attempt.username.as_deref());
    record.field("org", "org_id", attempt.org_id.as_deref());
    record.field("instance URL", "instance_url", attempt.instance_url.as_deref());
    record.field("login host", "login_url", attempt.login_url.as_deref());
    let renewed = attempt.renewed.map(|renewed| if renewed { "yes" } else { "no" });
    record.worded("connected before", renewed, "renewed", attempt.renewed);
    record.field("last error", "last_error", attempt.last_error.as_deref());
    record.field("codes known", "codes", attempt.codes);
    record.field("tries of the code", "tries", attempt.tries);
    let next_try = attempt.retry_at.filter(|at| *at >= now);
    record.worded("next try", next_try.map(clock_time), "retry_at", attempt.retry_at);
    let state = attempt.plain.map(|plain| if plain { "plain, made by anybody" } else { "signed" });
    record.worded("state", state, "plain", attempt.plain);
    record.field("receives", "receives", attempt.receives);
    record.field("WhatsApp error", "message_error", attempt.message_error.as_deref());
    record.field("WhatsApp message", "message_id", attempt.message_id.as_deref());
    record.field("WhatsApp state", "message_state", attempt.message_state.as_deref());
    record.field("refused later", "message_refusals", attempt.message_refusals);
    for (label, names, error, told_at) in [
        (
            "WhatsApp's last error",
            ["whatsapp_last_error", "whatsapp_last_error_at"],
            &attempt.whatsapp_last_error,
            attempt.messaged_at,
        ),
        ("bot's last error", ["bot_last_error", "bot_last_error_at"], &attempt.bot_last_error, attempt.bot_told_at),
    ] {
        let [text, at] = names;
        record.worded(label, last_error(error.as_ref(), told_at), text, error.as_ref().map(|it| &it.text));
        record.value(at, error.as_ref().map(|it| it.at));
    }
    let leased = attempt.lease_until.filter(|until| attempt.status() == Some(Status::Exchanging) && *until >= now);
    record.worded("leased until", leased.map(clock_time), "lease_until", attempt.lease_until);
    record.value("stuck", attempt.is_stuck(now));
    record.value("waiting", is_waiting(attempt, now));
    let timeline = timeline(attempt);
    let steps: Vec<_> =
        timeline.iter().map(|(at, what)| json!({"at": at.rfc3339(), "at_ms": at, "what": what})).collect();
    record.value("timeline", steps);
    let mut report = record.report(Exit::Done);
    report.text.push_str(state_text(attempt, until, now));
    report.text.push_str(&timeline_text(&timeline, now));
    report
}

/// What happens next, or what the reason means, where the status does not say so; empty elsewhere.
fn state_text(attempt: &Item, confirm_until: Option<Timestamp>, now: Timestamp) -> &'static str {
    if attempt.is_stuck(now) {
        return "\nThe lease has expired: its exchanger crashed or timed out. The next delivery resumes the attempt.\n";
    }
    if is_waiting(attempt, now) {
        return "\nThe attempt waits for the next delivery of its message.\n";
    }
    match (attempt.status(), attempt.reason.as_deref().and_then(Reason::parse)) {
        (Some(Status::Unconfirmed), _) if confirm_until.is_some_and(|until| until < now) => {
            "\nThe time for the chat's code is over. The next delivery of its message has the tokens revoked.\n"
        }
        (Some(Status::Unconfirmed), _) => {
            "\nNothing is connected: the login waits until its chat sends the code that the browser shows.\n"
        }
        (Some(Status::Failed), Some(Reason::WrongChat)) => {
            "\nAnother chat than the link's sent the code: nothing was connected, and the tokens were revoked \
             (docs/RUNBOOK.md, \"Wrong chats\").\n"
        }
        (Some(Status::Failed), Some(Reason::Unconfirmed)) => {
            "\nNo chat sent the code in time: nothing was connected, and the tokens were revoked (docs/RUNBOOK.md, \
             \"Unconfirmed logins\").\n"
        }
        _ => "",
    }
}

fn timeline_text(timeline: &[(Timestamp, String)], now: Timestamp) -> String {
    let mut steps = Table::default();
    let first = timeline.first().map_or(now, |(at, _)| *at);
    for (at, what) in timeline {
        let after = at.since(first);
        steps.row([at.rfc3339(), format!("+{:.3} s", after.as_secs_f64()), what.clone()]);
    }
    format!("\n{}", steps.text())
}

/// A list of attempts, with masked phone numbers.
pub(crate) fn attempt_table(attempts: &[Item], now: Timestamp) -> Table {
    let mut table = Table::with_header(["ATTEMPT", "CHAT", "STATUS", "REASON", "RECEIVES", "AGE", "NOTIFIED"]);
    for attempt in attempts {
        table.row([
            attempt.attempt_id.to_string(),
            attempt.wa_id.as_ref().map(WaId::masked).unwrap_or_default(),
            attempt.status.clone().unwrap_or_default(),
            attempt.reason.clone().unwrap_or_default(),
            attempt.receives.map(|number| number.to_string()).unwrap_or_default(),
            attempt.updated_at.map(|at| duration_text(now.since(at))).unwrap_or_default(),
            if attempt.notified_at.is_some() { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

/// A list of outcomes, and who was notified of each.
pub(crate) fn outcome_table(outcomes: &[Item], now: Timestamp) -> Table {
    let mut table = Table::with_header(["ATTEMPT", "STATUS", "REASON", "AGE", "PERSON", "BOT"]);
    let notified = |at: Option<Timestamp>| if at.is_some() { "notified" } else { "not notified" }.to_owned();
    for attempt in outcomes {
        let person =
            if attempt.message_error.is_some() { "unreachable".to_owned() } else { notified(attempt.messaged_at) };
        table.row([
            attempt.attempt_id.to_string(),
            attempt.status.clone().unwrap_or_default(),
            attempt.reason.clone().unwrap_or_default(),
            attempt.updated_at.map(|at| duration_text(now.since(at))).unwrap_or_default(),
            person,
            notified(attempt.bot_told_at),
        ]);
    }
    table
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{super::stored, *};

    pub(crate) fn attempt(changes: &Value) -> Item {
        let row = json!({
            "attempt_id": "07070707070707070707070707070707",
            "wa_id": "whatsapp:+15551234567",
            "status": "connected",
            "created_at": 1_790_000_000_000_u64,
            "updated_at": 1_790_000_001_000_u64,
            "code_sha256": "HASH",
        });
        Item::read(&stored(&row, changes), &[]).unwrap()
    }

    #[test]
    fn a_timeline_is_in_order_of_time() {
        let attempt = attempt(&json!({"notified_at": 1_790_000_003_000_u64, "messaged_at": 1_790_000_002_000_u64}));
        let steps: Vec<_> = timeline(&attempt).into_iter().map(|(_, what)| what).collect();
        assert_eq!(steps, ["callback received", "connected", "person notified", "notification complete"]);
    }

    #[test]
    fn a_released_attempt_waits_and_is_not_stuck() {
        let now = Timestamp::from_millis(1_790_000_070_000);
        let shown = |lease_until: u64| {
            let row = json!({"status": "exchanging", "lease_until": lease_until});
            let json = attempt_report(&attempt(&row), None, now).json;
            (json["stuck"] == true, json["waiting"] == true)
        };
        // Released with the code certainly unused, and with a lost response.
        assert_eq!(shown(0), (false, true));
        assert_eq!(shown(1_790_000_001_000), (false, true));
        assert_eq!(shown(1_790_000_061_000), (true, false));
        assert_eq!(shown(1_790_000_071_000), (false, false));
    }

    #[test]
    fn a_waiting_attempt_shows_its_last_error_and_its_next_try() {
        let now = Timestamp::from_millis(1_790_000_070_000);
        let last_error = "the code was not exchanged: Salesforce answered 503 without an error code";
        let row = json!({
            "status": "exchanging", "lease_until": 0, "last_error": last_error, "tries": 3,
            "retry_at": 1_790_000_090_000_u64,
        });
        let report = attempt_report(&attempt(&row), None, now);
        assert_eq!((&report.json["tries"], &report.json["last_error"]), (&json!(3), &json!(last_error)));
        for shown in [last_error, "next try", "waits for the next delivery"] {
            assert!(report.text.contains(shown), "{}", report.text);
        }
    }

    #[test]
    fn a_login_that_waits_for_its_chat_says_until_when_and_that_nothing_is_connected() {
        let waiting = attempt(&json!({"status": "unconfirmed"}));
        let shown = |at: u64| {
            attempt_report(&waiting, Some(Duration::from_mins(10)), Timestamp::from_millis(1_790_000_001_000 + at))
        };
        let report = shown(60_000);
        assert_eq!(report.json["confirm_until"], 1_790_000_601_000_u64);
        for text in ["until  2026-09-21T14:23:21Z", "Nothing is connected", "tokens held until the chat sends its code"]
        {
            assert!(report.text.contains(text), "{}", report.text);
        }
        assert!(shown(660_000).text.contains("The time for the chat's code is over"));
        let of_before = attempt_report(&waiting, None, Timestamp::from_millis(1_790_000_001_000));
        assert_eq!(of_before.json["confirm_until"], Value::Null);
    }

    #[test]
    fn a_login_that_no_chat_or_a_wrong_one_confirmed_says_what_that_means() {
        for (reason, means) in [
            ("wrong_chat", "Another chat than the link's sent the code"),
            ("unconfirmed", "No chat sent the code in time"),
        ] {
            let failed = attempt(&json!({"status": "failed", "reason": reason}));
            let report =
                attempt_report(&failed, Some(Duration::from_mins(10)), Timestamp::from_millis(1_790_000_002_000));
            assert!(report.text.contains(means), "{}", report.text);
            let section = report.text.split('"').nth(1).unwrap();
            assert!(include_str!("../../../docs/RUNBOOK.md").contains(&format!("\n## {section}\n")), "{section}");
            assert_eq!(report.json["confirm_until"], Value::Null);
        }
    }

    #[test]
    fn a_failure_shows_our_reason_and_salesforces_error() {
        let failed = json!({"status": "failed", "reason": "denied", "salesforce_error": "access_denied"});
        assert_eq!(timeline(&attempt(&failed))[1].1, "failed: denied (Salesforce: access_denied)");
    }

    #[test]
    fn the_last_errors_of_whatsapp_and_the_bot_are_shown_with_their_time_and_as_past_once_told() {
        let now = Timestamp::from_millis(1_790_000_070_000);
        let errors = json!({
            "whatsapp_last_error": "1790000002000 WhatsApp refused the account (63112)",
            "bot_last_error": "1790000004000 the bot's webhook returned 500",
        });
        let report = attempt_report(&attempt(&errors), None, now);
        assert_eq!(report.json["whatsapp_last_error"], "WhatsApp refused the account (63112)");
        assert_eq!(report.json["whatsapp_last_error_at"], 1_790_000_002_000_u64);
        assert_eq!(report.json["bot_last_error"], "the bot's webhook returned 500");
        assert_eq!(report.json["bot_last_error_at"], 1_790_000_004_000_u64);
        for shown in ["WhatsApp refused the account (63112) (", "the bot's webhook returned 500 ("] {
            assert!(report.text.contains(shown) && !report.text.contains("notified since"), "{}", report.text);
        }

        let mut told = errors;
        told["messaged_at"] = json!(1_790_000_003_000_u64);
        let report = attempt_report(&attempt(&told), None, now);
        let lines: Vec<_> = report.text.lines().filter(|line| line.contains("notified since")).collect();
        assert!(matches!(lines[..], [line] if line.contains("63112")), "{}", report.text);
        let steps: Vec<_> = timeline(&attempt(&told)).into_iter().map(|(_, what)| what).collect();
        let refused = ["WhatsApp refused the account (63112)", "person notified", "the bot's webhook returned 500"];
        assert_eq!(steps, ["callback received", "connected", refused[0], refused[1], refused[2]]);
    }

    #[test]
    fn the_end_of_a_connection_shows_who_was_told_and_which_connection_it_was() {
        let connected_by = "08".repeat(16);
        let end = json!({
            "status": "ended", "reason": "revoked", "connected_by": connected_by, "updated_at": 1_789_999_999_000_u64,
            "messaged_at": 1_790_000_002_000_u64, "replaced_at": 1_790_000_003_000_u64,
        });
        let attempt = Item { created_at: None, ..attempt(&end) };
        let steps: Vec<_> = timeline(&attempt).into_iter().map(|(_, what)| what).collect();
        assert_eq!(steps, ["ended: revoked", "person notified", "chat connected again"]);
        let report = attempt_report(&attempt, None, Timestamp::from_millis(1_790_000_004_000));
        assert_eq!((&report.json["connected_by"], &report.json["stuck"]), (&json!(connected_by), &json!(false)));
        assert!(report.text.contains(&connected_by), "{}", report.text);
    }

    #[test]
    fn a_list_shows_no_phone_number() {
        assert!(!attempt_summary(&attempt(&json!({}))).to_string().contains("1555123"));
    }
}
