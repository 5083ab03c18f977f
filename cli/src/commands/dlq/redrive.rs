//! Moving dead letters back, and deleting them.
//!
//! A letter is sent before it is deleted, so a wasf that is killed between the two leaves it in both
//! queues: the attempt's record lets one of them through. What is neither is only hidden for a while.

use std::{fmt::Write as _, num::NonZeroU32, time::Duration};

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    dead_letter::{DeadLetter, Filter, json_of, table},
    queues::Queues,
    reading::{Held, Reading},
    signals::{interrupted, stop_signals},
};
use crate::{
    args::Selection,
    error::{Error, Exit},
    report::{Progress, Report, count},
};

/// What is done to a letter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Redrive,
    Drop,
}

impl Deed {
    const fn past(self) -> &'static str {
        match self {
            Self::Redrive => "redriven",
            Self::Drop => "dropped",
        }
    }
}

/// What came of it.
#[derive(Default)]
struct Tally {
    done: Vec<DeadLetter>,
    /// Left, because they are somebody's consent.
    spared: usize,
    trouble: Option<Error>,
}

pub(super) async fn redrive(
    queues: &Queues,
    selection: &Selection,
    rate: Option<NonZeroU32>,
    confirm: bool,
) -> Result<Report, Error> {
    let filter = selection.filter(false);
    if !confirm {
        return dry_run(queues, &filter, selection, Deed::Redrive, true).await;
    }
    let tally = each(queues, &filter, selection.limit(), Deed::Redrive, rate, true).await?;
    report(queues, Deed::Redrive, &tally).await
}

pub(super) async fn drop(queues: &Queues, selection: &Selection, force: bool, confirm: bool) -> Result<Report, Error> {
    let filter = selection.filter(true);
    if !confirm {
        return dry_run(queues, &filter, selection, Deed::Drop, force).await;
    }
    let tally = each(queues, &filter, selection.limit(), Deed::Drop, None, force).await?;
    report(queues, Deed::Drop, &tally).await
}

async fn dry_run(
    queues: &Queues,
    filter: &Filter,
    selection: &Selection,
    deed: Deed,
    consents_too: bool,
) -> Result<Report, Error> {
    let (meant, spared): (Vec<_>, Vec<_>) = queues
        .read(filter, selection.limit())
        .await?
        .into_iter()
        .partition(|letter| consents_too || !letter.holds.is_consent());
    let json = json!({
        "dry_run": true,
        "found": meant.len(),
        "spared": spared.len(),
        deed.past(): 0,
        "messages": json_of(&meant),
    });
    if meant.is_empty() {
        let held = queues.held_by_others().await?;
        let text = format!("No dead letters{held} that would be {}.{}\n", deed.past(), spared_words(spared.len()));
        return Ok(Report::new(text, json, Exit::NothingMatched));
    }
    let said = format!("{} would be {}", count(meant.len(), "dead letter"), deed.past());
    let text = format!("{}\n{said}.{} Do it with --confirm.\n", table(&meant), spared_words(spared.len()));
    Ok(Report::new(text, json, Exit::Done))
}

/// Does it to each letter that is meant, up to the first trouble.
async fn each(
    queues: &Queues,
    filter: &Filter,
    limit: usize,
    deed: Deed,
    rate: Option<NonZeroU32>,
    consents_too: bool,
) -> Result<Tally, Error> {
    let (mut reading, total) = Reading::begin(&queues.dead, &queues.attempts, queues.clock).await?;
    let mut progress = Progress::of(match deed {
        Deed::Redrive => "dead letters redriven",
        Deed::Drop => "dead letters dropped",
    });
    let mut pace = rate.map(|rate| {
        let mut pace = interval(Duration::from_secs(1) / rate.get());
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let mut stop = stop_signals()?;
    let mut tally = Tally::default();
    'reading: while tally.done.len() < limit {
        let next = tokio::select! {
            next = reading.next() => next,
            () = stop.wait() => Err(interrupted()),
        };
        let held = match next {
            Ok(Some(held)) => held,
            Ok(None) => break,
            Err(error) => {
                tally.trouble = Some(error);
                break;
            }
        };
        for held in held {
            if tally.done.len() == limit {
                break 'reading;
            }
            if !filter.selects(&held.letter) {
                continue;
            }
            if held.letter.holds.is_consent() && !consents_too {
                tally.spared += 1;
                continue;
            }
            if let Some(pace) = &mut pace {
                tokio::select! {
                    _ = pace.tick() => (),
                    () = stop.wait() => {
                        tally.trouble = Some(interrupted());
                        break 'reading;
                    }
                }
            }
            if let Err(error) = do_to(queues, deed, &held).await {
                tally.trouble = Some(error);
                break 'reading;
            }
            reading.taken(&held.letter.message_id);
            tally.done.push(held.letter);
            progress.show(tally.done.len(), Some(total.max(tally.done.len())));
        }
    }
    let given_back = reading.end().await;
    if let (None, Err(error)) = (&tally.trouble, given_back) {
        tally.trouble = Some(error);
    }
    match tally.trouble {
        Some(error) if tally.done.is_empty() => Err(error),
        trouble => Ok(Tally { trouble, ..tally }),
    }
}

async fn do_to(queues: &Queues, deed: Deed, held: &Held) -> Result<(), Error> {
    if deed == Deed::Redrive {
        queues.exchange.send(held.body()).await?;
    }
    queues.dead.delete(&held.message).await
}

async fn report(queues: &Queues, deed: Deed, tally: &Tally) -> Result<Report, Error> {
    let done = tally.done.len();
    let exit = match &tally.trouble {
        Some(_) => Exit::InPart,
        None if done == 0 => Exit::NothingMatched,
        None => Exit::Done,
    };
    let mut text = if exit == Exit::NothingMatched {
        format!("No dead letters{} that could be {}.", queues.held_by_others().await?, deed.past())
    } else {
        format!("{} {}.", count(done, "dead letter"), deed.past())
    };
    text.push_str(&spared_words(tally.spared));
    if let Some(error) = &tally.trouble {
        let _ = write!(text, " Not all: {error}. Run it again for the rest.");
    }
    let json = json!({
        "dry_run": false,
        deed.past(): done,
        "spared": tally.spared,
        "messages": json_of(&tally.done),
        "error": tally.trouble.as_ref().map(ToString::to_string),
        "finished_at": queues.now().rfc3339(),
    });
    Ok(Report::new(text + "\n", json, exit))
}

fn spared_words(spared: usize) -> String {
    match spared {
        0 => String::new(),
        spared => format!(" {} left, because it is somebody's consent (--force).", count(spared, "letter")),
    }
}

/// How often SQS is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// Lets SQS move everything, and follows that.
pub(super) async fn natively(queues: &Queues, rate: Option<NonZeroU32>, confirm: bool) -> Result<Report, Error> {
    let waiting = queues.dead.counts().await?.waiting;
    if waiting == 0 {
        let text = format!("No dead letters{}.\n", queues.held_by_others().await?);
        return Ok(Report::new(text, json!({"dry_run": !confirm, "found": 0, "redriven": 0}), Exit::NothingMatched));
    }
    if !confirm {
        let text = format!("SQS would move about {}. Do it with --confirm.\n", count(waiting, "message"));
        return Ok(Report::new(text, json!({"dry_run": true, "found": waiting, "redriven": 0}), Exit::Done));
    }
    queues.dead.start_move(&queues.dead_arn, rate.map(NonZeroU32::get)).await?;
    let mut progress = Progress::of("messages moved by SQS");
    let mut look = interval(LOOK);
    let task = loop {
        look.tick().await;
        let task = queues.dead.latest_move(&queues.dead_arn).await?;
        let task = task.ok_or_else(|| Error::failed("follow SQS's redrive", "SQS does not know of it"))?;
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
