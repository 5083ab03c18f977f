//! `wasf events redeliver`: has outcomes announced again that not everybody was told of.
//!
//! The notifier follows the attempt table's stream, and a record that has run out of tries comes no
//! more. DynamoDB makes a new record when a write changes something, so an attribute that nobody
//! reads is written (`redelivered_at`). It must not be `updated_at`: that is in the event's id, by
//! which a bot knows a repetition, and in the condition of every mark. The marks of who was told stay
//! too, so the notifier goes on where it stopped.

use std::collections::BTreeSet;

use serde_json::json;
use shared::{
    AttemptId, Status, Timestamp,
    attempt::{Item, attr, ledger::redelivery},
    timestamp::Clock,
};

use crate::{
    args::{Again, EventsCommand},
    aws::AttemptTable,
    error::{Error, Exit},
    records::{attempt_summary, outcome_table},
    report::{Progress, Report, count},
    span::Span,
    target::Target,
};

const OUTCOMES: [Status; 3] = [Status::Connected, Status::Failed, Status::Delayed];

pub(crate) async fn run(command: EventsCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let EventsCommand::Redeliver { since: Span(span), attempt, again, confirm } = command;
    let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
    let now = clock();
    let found = if let Some(id) = attempt {
        vec![named(&attempts, id).await?]
    } else {
        attempts.since(now.minus(span), &OUTCOMES, true, &mut Progress::of("attempts looked at")).await?
    };
    if found.is_empty() {
        let text = "Everybody was told of every outcome.\n".to_owned();
        return Ok(Report::new(text, json!({"found": 0, "redelivered": 0, "outcomes": []}), Exit::NothingMatched));
    }
    let redelivered = if confirm { touch_all(&attempts, &found, &again, clock).await? } else { 0 };
    Ok(report(&found, redelivered, confirm, now))
}

async fn named(attempts: &AttemptTable, id: AttemptId) -> Result<Item, Error> {
    let nothing = |why: &str| Error::NothingMatched(format!("attempt {id} {why}"));
    let attempt = attempts.read(id).await?.ok_or_else(|| nothing("is not in the table"))?;
    match attempt.status() {
        Some(status) if OUTCOMES.contains(&status) => Ok(attempt),
        _ => Err(nothing("has not ended")),
    }
}

async fn touch_all(attempts: &AttemptTable, found: &[Item], again: &[Again], clock: Clock) -> Result<usize, Error> {
    let mut progress = Progress::of("outcomes redelivered");
    let mut redelivered = 0;
    for attempt in found {
        if let (Some(status), Some(updated_at)) = (attempt.status(), attempt.updated_at) {
            let forget = forgotten(attempt, again);
            let redelivery = redelivery(status, updated_at, &forget, clock());
            redelivered += usize::from(attempts.redeliver(attempt.attempt_id, &redelivery).await?);
        }
        progress.show(redelivered, Some(found.len()));
    }
    Ok(redelivered)
}

/// The marks that an outcome loses: that everybody knows, and of those who are to be told again, that they do.
fn forgotten(attempt: &Item, again: &[Again]) -> Vec<&'static str> {
    let of_whom = |who: &Again| match who {
        Again::Person => [attr::MESSAGED_AT, attr::MESSAGE_ERROR, attr::DELAY_TOLD_AT].as_slice(),
        Again::Bot => &[attr::BOT_TOLD_AT],
    };
    let marks: BTreeSet<_> = attempt
        .notified_at
        .map(|_| attr::NOTIFIED_AT)
        .into_iter()
        .chain(again.iter().flat_map(of_whom).copied())
        .collect();
    marks.into_iter().collect()
}

fn report(found: &[Item], redelivered: usize, confirm: bool, now: Timestamp) -> Report {
    let (said, exit) = if !confirm {
        (
            format!("This would have {} announced again. Do it with --confirm.", count(found.len(), "outcome")),
            Exit::Done,
        )
    } else if redelivered == found.len() {
        (format!("{} on the stream again.", count(redelivered, "outcome")), Exit::Done)
    } else {
        let said =
            format!("{redelivered} of {} on the stream again; of the others there are later outcomes.", found.len());
        (said, Exit::InPart)
    };
    let json = json!({
        "dry_run": !confirm,
        "found": found.len(),
        "redelivered": redelivered,
        "outcomes": found.iter().map(attempt_summary).collect::<Vec<_>>(),
    });
    Report::new(format!("{}\n{said}\n", outcome_table(found, now).text()), json, exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::attempt;

    #[test]
    fn nobody_is_told_twice_unless_that_is_asked_for() {
        let half_told = attempt(&json!({"messaged_at": 1}));
        assert_eq!(forgotten(&half_told, &[]), [""; 0]);
        let told = attempt(&json!({"messaged_at": 1, "bot_told_at": 1, "notified_at": 1}));
        assert_eq!(forgotten(&told, &[]), ["notified_at"]);
        assert_eq!(forgotten(&told, &[Again::Bot]), ["bot_told_at", "notified_at"]);
        assert_eq!(
            forgotten(&told, &[Again::Person]),
            ["delay_told_at", "message_error", "messaged_at", "notified_at"]
        );
    }

    #[test]
    fn an_outcome_that_was_overtaken_is_said_to_be_left() {
        let outcomes = [attempt(&json!({})), attempt(&json!({}))];
        let now = Timestamp::from_millis(1_790_000_002_000);
        assert_eq!(report(&outcomes, 2, true, now).exit, Exit::Done);
        assert_eq!(report(&outcomes, 1, true, now).exit, Exit::InPart);
        assert_eq!(report(&outcomes, 0, false, now).exit, Exit::Done);
    }
}
