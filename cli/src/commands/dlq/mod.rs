//! `wasf dlq`: the exchange dead-letter queue: listing, redriving, dropping.

mod dead_letter;
mod listing;
mod queues;
mod reading;
pub(super) mod redrive;
mod signals;

use shared::timestamp::Clock;

use self::queues::Queues;
use crate::{args::DlqCommand, error::Error, report::Report, target::Target};

pub(crate) async fn run(command: DlqCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let queues = Queues::of(target, clock)?;
    match command {
        DlqCommand::Stats => listing::stats(&queues).await,
        DlqCommand::List { selection } => listing::list(&queues, &selection).await,
        DlqCommand::Show { id } => listing::show(&queues, &id).await,
        DlqCommand::Redrive { native: true, rate, confirm, .. } => {
            redrive::native(&queues.dead, &queues.dead_arn, rate, confirm).await
        }
        DlqCommand::Redrive { selection, rate, confirm, .. } => {
            redrive::redrive(&queues, &selection, rate, confirm).await
        }
        DlqCommand::Drop { selection, force, confirm } => redrive::drop(&queues, &selection, force, confirm).await,
    }
}
