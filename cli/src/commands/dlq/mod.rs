//! `wasf dlq`: the dead-letter queues of exchange and upkeep: listing, redriving, dropping.

mod content;
mod dead_letter;
mod listing;
mod queues;
mod reading;
pub(super) mod redrive;

use shared::{AttemptId, WaId, timestamp::Clock};

use self::{dead_letter::Filter, queues::Queues};
use crate::{
    args::{DlqCommand, QueueArg},
    error::Error,
    report::Report,
    target::Target,
};

pub(crate) async fn run(command: DlqCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let queues = Queues::of(target, queue_of(&command), clock)?;
    match command {
        DlqCommand::Stats => listing::stats(&queues).await,
        DlqCommand::List { selection } => listing::list(&queues, &selection).await,
        DlqCommand::Show { id, .. } => listing::show(&queues, &id).await,
        DlqCommand::Redrive { native: true, rate, confirm, .. } => {
            redrive::native(&queues.dead, &queues.dead_arn, rate, confirm).await
        }
        DlqCommand::Redrive { selection, rate, confirm, .. } => {
            redrive::redrive(&queues, &selection, rate, confirm).await
        }
        DlqCommand::Drop { selection, force, confirm } => redrive::drop(&queues, &selection, force, confirm).await,
    }
}

const fn queue_of(command: &DlqCommand) -> QueueArg {
    match command {
        DlqCommand::Stats => QueueArg::Exchange,
        DlqCommand::Show { queue, .. } => *queue,
        DlqCommand::List { selection } | DlqCommand::Redrive { selection, .. } | DlqCommand::Drop { selection, .. } => {
            selection.queue
        }
    }
}

/// The attempts of a chat whose messages are dead letters.
pub(super) async fn of_chat(target: &Target, wa_id: &WaId, clock: Clock) -> Result<Vec<AttemptId>, Error> {
    let dead = Queues::of(target, QueueArg::Exchange, clock)?.read(&Filter::default(), usize::MAX).await?;
    let about = dead.into_iter().filter_map(|dead| dead.about);
    Ok(about.filter(|about| about.wa_id == *wa_id).map(|about| about.attempt_id).collect())
}
