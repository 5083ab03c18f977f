//! `wasf events`: `test` sends the bot an event that means nothing, `redeliver` puts outcomes with an incomplete
//! notification on the stream again, `redrive` puts the retry queue's dead letters back.
//!
//! The notifier reads the attempt table's stream, and a record that has been handled does not come again.
//! DynamoDB makes a new record for a write that changes something, so this writes an attribute that nobody reads
//! (`redelivered_at`). It must not be `updated_at`: that is in the event's id, by which a bot recognizes a repetition,
//! and in the condition of every mark. The marks of who was notified stay, so the notifier resumes where it stopped.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use serde_json::json;
use shared::{
    AttemptId, Status, Timestamp,
    attempt::{
        Item, RETENTION, attr, index,
        ledger::{BOT_TOLD, redelivery},
    },
    timestamp::Clock,
};

use crate::{
    args::{Again, EventsCommand},
    aws::{AttemptTable, Functions, Of, Queue, Wanted},
    commands::dlq::redrive::native,
    error::{Error, Exit},
    parties::{TEST_CHAT, TestWay, send_test_event},
    records::{Listed, attempt_summary, not_indexed_text, outcome_table, unreadable_json, unreadable_text},
    report::{Progress, Report, count, duration_text},
    target::Target,
};

/// The statuses that are notified of.
pub(super) const OUTCOMES: [Status; 4] = [Status::Connected, Status::Failed, Status::Delayed, Status::Ended];

pub(crate) async fn run(command: EventsCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let (since, scan, attempt, again, confirm) = match command {
        EventsCommand::Redeliver { since, scan, attempt, again, confirm } => (since, scan, attempt, again, confirm),
        EventsCommand::Redrive { rate, confirm } => return redrive_untold(target, rate, confirm).await,
        EventsCommand::Test => return test(target, clock).await,
    };
    let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
    let now = clock();
    let is_from_index = attempt.is_none() && !scan;
    let not_indexed = if is_from_index { attempts.not_in(index::BY_STATUS).await.ok() } else { Some(0) };
    let listed = if let Some(id) = attempt {
        Listed { attempts: vec![by_id(&attempts, id).await?], ..Listed::default() }
    } else {
        incomplete(&attempts, now.minus(since), scan, now).await?
    };
    if listed.attempts.is_empty() && listed.unreadable.is_empty() {
        let text = nothing_text(since, not_indexed);
        let json = json!({"found": 0, "redelivered": 0, "outcomes": [], "not_indexed": not_indexed});
        return Ok(Report::new(text, json, Exit::NothingMatched));
    }
    let redelivered = if confirm { redeliver_all(&attempts, &listed.attempts, &again, clock).await? } else { 0 };
    Ok(report(&listed, not_indexed, redelivered, confirm, now))
}

/// That nothing is left to tell, and of which time: what is older was not looked at, or is not kept.
fn nothing_text(since: Duration, not_indexed: Option<u64>) -> String {
    let expired = if since > RETENTION { "; attempts expire after that, and older ones are not known" } else { "" };
    let complete = format!("every notification of the last {} is complete", duration_text(since.min(RETENTION)));
    format!("Nothing to redeliver: {complete}{expired}.\n{}", not_indexed_text(index::BY_STATUS, not_indexed))
}

/// Sends the bot's webhook and its event bus an event that means nothing, as the notifier does.
async fn test(target: &Target, clock: Clock) -> Result<Report, Error> {
    let settings = Functions::new(&target.aws).settings(target.stack.output("NotifierFunctionName")?).await?;
    let chat = TEST_CHAT.parse().map_err(|_| Error::failed("notify the bot", "the test chat's address is invalid"))?;
    let ways = send_test_event(&target.aws, &settings, &chat, clock()).await?;
    if ways.is_empty() {
        let why = "the stack has neither a webhook (BotWebhookUrl) nor an event bus (EventBusName)";
        return Err(Error::NothingMatched(why.to_owned()));
    }
    let text = ways.iter().fold(String::new(), |text, way| text + accepted_text(*way));
    let ways: Vec<_> = ways.iter().map(|way| way.as_str()).collect();
    Ok(Report::new(text, json!({"accepted": true, "subject": TEST_CHAT, "ways": ways}), Exit::Done))
}

const fn accepted_text(way: TestWay) -> &'static str {
    match way {
        TestWay::Webhook => "The bot's webhook accepted a signed test event.\n",
        TestWay::Bus => "EventBridge accepted a test event; whether a rule takes it is the bot's.\n",
    }
}

/// The outcomes since then whose notification is not complete.
async fn incomplete(attempts: &AttemptTable, since: Timestamp, scan: bool, now: Timestamp) -> Result<Listed, Error> {
    let of = Of::Statuses(OUTCOMES.to_vec());
    let wanted = Wanted { of, since, until: None, unnotified_only: true, limit: usize::MAX };
    if scan {
        return attempts.scan(&wanted, &mut Progress::of("attempts scanned")).await;
    }
    let mut listed = attempts.list(&wanted, now).await?;
    // The index does not say who was notified.
    let ids: Vec<_> = listed.attempts.iter().map(|attempt| attempt.attempt_id).collect();
    let mut rows = attempts.read_many(&ids).await?;
    listed.attempts.clear();
    for row in ids.iter().filter_map(|id| rows.remove(&id.to_string())) {
        listed.add(row);
    }
    Ok(listed)
}

/// SQS's own redrive of the retry queue's dead letters.
async fn redrive_untold(target: &Target, rate: Option<NonZeroU32>, confirm: bool) -> Result<Report, Error> {
    let dead = Queue::new(&target.aws, target.stack.output("NotifierRetryDlqUrl")?);
    native(&dead, target.stack.output("NotifierRetryDlqArn")?, rate, confirm).await
}

async fn by_id(attempts: &AttemptTable, id: AttemptId) -> Result<Item, Error> {
    let unmatched = |why: &str| Error::NothingMatched(format!("attempt {id} {why}"));
    let attempt = attempts.read(id).await?.ok_or_else(|| unmatched("does not exist"))?;
    match attempt.status() {
        Some(status) if OUTCOMES.contains(&status) => Ok(attempt),
        _ => Err(unmatched("has no outcome yet")),
    }
}

async fn redeliver_all(attempts: &AttemptTable, found: &[Item], again: &[Again], clock: Clock) -> Result<usize, Error> {
    let mut progress = Progress::of("outcomes redelivered");
    let mut redelivered = 0;
    for attempt in found {
        if let (Some(status), Some(updated_at)) = (attempt.status(), attempt.updated_at) {
            let marks = marks_to_remove(attempt, again);
            let redelivery = redelivery(status, updated_at, &marks, clock());
            redelivered += usize::from(attempts.redeliver(attempt.attempt_id, &redelivery).await?);
        }
        progress.show(redelivered, Some(found.len()));
    }
    Ok(redelivered)
}

/// The marks that an outcome loses: that its notification is complete, and those of whoever is to be notified again.
fn marks_to_remove(attempt: &Item, again: &[Again]) -> Vec<&'static str> {
    let marks_of = |who: &Again| match who {
        Again::Person => [
            attr::MESSAGED_AT,
            attr::MESSAGE_ERROR,
            attr::MESSAGE_INTENT,
            attr::WITHHELD_AT,
            attr::DELAY_TOLD_AT,
            attr::MESSAGE_ID,
            attr::MESSAGE_STATE,
            attr::TEMPLATE_AT,
            attr::MESSAGE_RETRY_AT,
        ]
        .as_slice(),
        Again::Bot => &BOT_TOLD,
    };
    let marks: BTreeSet<_> = attempt
        .notified_at
        .map(|_| attr::NOTIFIED_AT)
        .into_iter()
        .chain(again.iter().flat_map(marks_of).copied())
        .collect();
    marks.into_iter().collect()
}

fn report(listed: &Listed, not_indexed: Option<u64>, redelivered: usize, confirm: bool, now: Timestamp) -> Report {
    let Listed { attempts: found, unreadable, .. } = listed;
    let (summary, exit) = if !confirm {
        (
            format!("Dry run: would redeliver {}. Run it again with --confirm.", count(found.len(), "outcome")),
            Exit::Done,
        )
    } else if redelivered == found.len() {
        (format!("{} redelivered.", count(redelivered, "outcome")), Exit::Done)
    } else {
        let summary =
            format!("{redelivered} of {} outcomes redelivered; later outcomes have replaced the others.", found.len());
        (summary, Exit::InPart)
    };
    let json = json!({
        "dry_run": !confirm,
        "found": found.len(),
        "redelivered": redelivered,
        "outcomes": found.iter().map(attempt_summary).collect::<Vec<_>>(),
        "unreadable": unreadable_json(unreadable),
        "not_indexed": not_indexed,
    });
    let exit = if unreadable.is_empty() { exit } else { Exit::InPart };
    let mut text = format!("{}{}\n{summary}\n", outcome_table(found, now).text(), unreadable_text(unreadable));
    text.push_str(&not_indexed_text(index::BY_STATUS, not_indexed));
    Report::new(text, json, exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Unreadable, tests::attempt};

    #[test]
    fn what_is_older_than_it_looked_at_is_not_called_complete() {
        let text = nothing_text(Duration::from_hours(2), Some(0));
        assert_eq!(text, "Nothing to redeliver: every notification of the last 2 h is complete.\n");
    }

    #[test]
    fn nothing_is_said_of_outcomes_that_are_not_kept() {
        let complete = "Nothing to redeliver: every notification of the last 90 d is complete";
        let text = nothing_text(Duration::from_hours(99_999_999 * 24), Some(0));
        assert_eq!(text, format!("{complete}; attempts expire after that, and older ones are not known.\n"));
        assert_eq!(nothing_text(RETENTION, Some(0)), format!("{complete}.\n"));
    }

    #[test]
    fn every_status_is_an_outcome_but_those_of_a_login_that_goes_on() {
        let goes_on = [Status::Exchanging, Status::Unconfirmed];
        let outcomes: Vec<_> = Status::ALL.into_iter().filter(|status| !goes_on.contains(status)).collect();
        assert_eq!(outcomes, OUTCOMES);
    }

    #[test]
    fn nobody_is_notified_twice_unless_requested() {
        let half_notified = attempt(&json!({"messaged_at": 1}));
        assert_eq!(marks_to_remove(&half_notified, &[]), [""; 0]);
        let notified = attempt(&json!({"messaged_at": 1, "bot_told_at": 1, "notified_at": 1}));
        assert_eq!(marks_to_remove(&notified, &[]), ["notified_at"]);
        assert_eq!(
            marks_to_remove(&notified, &[Again::Bot]),
            ["bot_told_at", "bus_told_at", "notified_at", "queue_told_at", "webhook_told_at"]
        );
        assert_eq!(
            marks_to_remove(&notified, &[Again::Person]),
            [
                "delay_told_at",
                "message_error",
                "message_id",
                "message_intent",
                "message_retry_at",
                "message_state",
                "messaged_at",
                "notified_at",
                "template_at",
                "withheld_at"
            ]
        );
    }

    #[test]
    fn a_replaced_outcome_is_reported_as_left() {
        let outcomes = Listed { attempts: vec![attempt(&json!({})), attempt(&json!({}))], ..Listed::default() };
        let now = Timestamp::from_millis(1_790_000_002_000);
        assert_eq!(report(&outcomes, Some(0), 2, true, now).exit, Exit::Done);
        assert_eq!(report(&outcomes, Some(0), 1, true, now).exit, Exit::InPart);
        assert_eq!(report(&outcomes, Some(0), 0, false, now).exit, Exit::Done);
    }

    #[test]
    fn an_unreadable_item_keeps_no_outcome_from_being_redelivered() {
        let foreign = Unreadable { key: "f0".to_owned(), why: "attempt unreadable: no status".to_owned() };
        let outcomes = Listed { attempts: vec![attempt(&json!({}))], unreadable: vec![foreign], ..Listed::default() };
        let report = report(&outcomes, Some(0), 1, true, Timestamp::from_millis(1_790_000_002_000));
        assert_eq!((report.exit, &report.json["redelivered"]), (Exit::InPart, &json!(1)));
        assert!(report.text.contains("f0"), "{}", report.text);
    }
}
