//! `wasf dlq redrive` and `drop`: moving dead letters back, and deleting them.
//!
//! A message is sent before it is deleted, so a wasf that is killed between the two leaves it in both queues, and the
//! attempt's row lets one of them through. A message that is neither sent nor deleted becomes visible again.

use std::{fmt::Write as _, num::NonZeroU32, time::Duration};

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    dead_letter::{DeadLetter, Filter, json_of, table},
    queues::{Queues, held_by_others},
    reading::{Held, Reading},
};
use crate::{
    args::Selection,
    aws::Queue,
    commands::signals::{interrupted, stop_signals},
    error::{Error, Exit},
    report::{Progress, Report, count},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Redrive,
    Drop,
}

impl Action {
    const fn infinitive(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Drop => "drop",
        }
    }

    const fn past(self) -> &'static str {
        match self {
            Self::Redrive => "redriven",
            Self::Drop => "dropped",
        }
    }
}

#[derive(Default)]
struct Tally {
    done: Vec<DeadLetter>,
    /// Kept, because they are somebody's consent.
    spared: usize,
    /// Why it ended early.
    error: Option<Error>,
}

pub(super) async fn redrive(
    queues: &Queues,
    selection: &Selection,
    rate: Option<NonZeroU32>,
    confirm: bool,
) -> Result<Report, Error> {
    let filter = selection.filter(false);
    if !confirm {
        return dry_run(queues, &filter, selection, Action::Redrive, true).await;
    }
    let tally = apply_to_each(queues, &filter, selection.limit(), Action::Redrive, rate, true).await?;
    report(queues, Action::Redrive, &tally).await
}

pub(super) async fn drop(queues: &Queues, selection: &Selection, force: bool, confirm: bool) -> Result<Report, Error> {
    let filter = selection.filter(true);
    if !confirm {
        return dry_run(queues, &filter, selection, Action::Drop, force).await;
    }
    let tally = apply_to_each(queues, &filter, selection.limit(), Action::Drop, None, force).await?;
    report(queues, Action::Drop, &tally).await
}

async fn dry_run(
    queues: &Queues,
    filter: &Filter,
    selection: &Selection,
    action: Action,
    force: bool,
) -> Result<Report, Error> {
    let (selected, spared): (Vec<_>, Vec<_>) = queues
        .read(filter, selection.limit())
        .await?
        .into_iter()
        .partition(|dead_letter| force || !dead_letter.content.is_needed());
    let json = json!({
        "dry_run": true,
        "found": selected.len(),
        "spared": spared.len(),
        action.past(): 0,
        "messages": json_of(&selected),
    });
    if selected.is_empty() {
        let held = queues.held_by_others().await?;
        let text = format!("No dead letters to {}{held}.{}\n", action.infinitive(), spared_text(spared.len()));
        return Ok(Report::new(text, json, Exit::NothingMatched));
    }
    let summary = format!("Dry run: {} would be {}", count(selected.len(), "dead letter"), action.past());
    let text = format!("{}\n{summary}.{} Run it again with --confirm.\n", table(&selected), spared_text(spared.len()));
    Ok(Report::new(text, json, Exit::Done))
}

/// Applies the action to each selected dead letter, up to the limit or the first error.
async fn apply_to_each(
    queues: &Queues,
    filter: &Filter,
    limit: usize,
    action: Action,
    rate: Option<NonZeroU32>,
    force: bool,
) -> Result<Tally, Error> {
    let (mut reading, total) = Reading::begin(&queues.dead, &queues.attempts, queues.clock).await?;
    let mut progress = Progress::of(match action {
        Action::Redrive => "dead letters redriven",
        Action::Drop => "dead letters dropped",
    });
    let mut pace = rate.map(|rate| {
        let mut pace = interval(Duration::from_secs(1) / rate.get());
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let mut stop = stop_signals()?;
    let mut tally = Tally::default();
    // The limit, a signal and an error break out of both loops instead of returning: whatever ends the reading, the
    // messages that are left must go back to the queue.
    'reading: while tally.done.len() < limit {
        let next = tokio::select! {
            next = reading.next() => next,
            () = stop.wait() => Err(interrupted()),
        };
        let held = match next {
            Ok(Some(held)) => held,
            Ok(None) => break,
            Err(error) => {
                tally.error = Some(error);
                break;
            }
        };
        for held in held {
            if tally.done.len() == limit {
                break 'reading;
            }
            if !filter.selects(&held.dead_letter) {
                continue;
            }
            if held.dead_letter.content.is_needed() && !force {
                tally.spared += 1;
                continue;
            }
            if let Some(pace) = &mut pace {
                tokio::select! {
                    _ = pace.tick() => (),
                    () = stop.wait() => {
                        tally.error = Some(interrupted());
                        break 'reading;
                    }
                }
            }
            if let Err(error) = apply(queues, action, &held).await {
                tally.error = Some(error);
                break 'reading;
            }
            reading.deleted(&held.dead_letter.message_id);
            tally.done.push(held.dead_letter);
            progress.show(tally.done.len(), Some(total.max(tally.done.len())));
        }
    }
    let returned = reading.end().await;
    if let (None, Err(error)) = (&tally.error, returned) {
        tally.error = Some(error);
    }
    match tally.error {
        Some(error) if tally.done.is_empty() => Err(error),
        error => Ok(Tally { error, ..tally }),
    }
}

async fn apply(queues: &Queues, action: Action, held: &Held) -> Result<(), Error> {
    if action == Action::Redrive {
        queues.source.send(held.body()).await?;
    }
    queues.dead.delete(&held.message).await
}

async fn report(queues: &Queues, action: Action, tally: &Tally) -> Result<Report, Error> {
    let done = tally.done.len();
    let exit = match &tally.error {
        Some(_) => Exit::InPart,
        None if done == 0 => Exit::NothingMatched,
        None => Exit::Done,
    };
    let mut text = if exit == Exit::NothingMatched {
        format!("No dead letters to {}{}.", action.infinitive(), queues.held_by_others().await?)
    } else {
        format!("{} {}.", count(done, "dead letter"), action.past())
    };
    text.push_str(&spared_text(tally.spared));
    if let Some(error) = &tally.error {
        let _ = write!(text, " Stopped early: {error}. Run it again for the rest.");
    }
    let json = json!({
        "dry_run": false,
        action.past(): done,
        "spared": tally.spared,
        "messages": json_of(&tally.done),
        "error": tally.error.as_ref().map(ToString::to_string),
        "finished_at": queues.now().rfc3339(),
    });
    Ok(Report::new(text + "\n", json, exit))
}

fn spared_text(spared: usize) -> String {
    match spared {
        0 => String::new(),
        spared => format!(
            " {} kept: consents, decisions on held tokens, and tokens to revoke are deleted only with --force.",
            count(spared, "dead letter")
        ),
    }
}

/// How often the progress of SQS's redrive is read.
const POLL: Duration = Duration::from_millis(500);

/// Starts SQS's own redrive, and follows it to its end.
/// SQS's own redrive of the dead-letter queue with this ARN.
pub(in crate::commands) async fn native(
    dead: &Queue,
    dead_arn: &str,
    rate: Option<NonZeroU32>,
    confirm: bool,
) -> Result<Report, Error> {
    let counts = dead.counts().await?;
    let waiting = counts.waiting;
    if waiting == 0 {
        let text = format!("No dead letters{}.\n", held_by_others(counts));
        return Ok(Report::new(text, json!({"dry_run": !confirm, "found": 0, "redriven": 0}), Exit::NothingMatched));
    }
    if !confirm {
        let text =
            format!("Dry run: SQS would move about {}. Run it again with --confirm.\n", count(waiting, "message"));
        return Ok(Report::new(text, json!({"dry_run": true, "found": waiting, "redriven": 0}), Exit::Done));
    }
    dead.start_move(dead_arn, rate.map(NonZeroU32::get)).await?;
    let mut progress = Progress::of("messages moved by SQS");
    let mut poll = interval(POLL);
    let task = loop {
        poll.tick().await;
        let task = dead.latest_move(dead_arn).await?;
        let task = task.ok_or_else(|| Error::failed("follow SQS's redrive", "SQS does not list it"))?;
        progress.show(task.moved, task.to_move);
        if task.status != "RUNNING" && task.status != "CANCELLING" {
            break task;
        }
    };
    let exit = match task.status.as_str() {
        "COMPLETED" => Exit::Done,
        _ if task.moved > 0 => Exit::InPart,
        _ => Exit::Failed,
    };
    let why = task.failure.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    let text = format!("SQS moved {}: {}{why}.\n", count(task.moved, "message"), task.status.to_lowercase());
    let json = json!({"dry_run": false, "redriven": task.moved, "status": task.status, "failure": task.failure});
    Ok(Report::new(text, json, exit))
}
