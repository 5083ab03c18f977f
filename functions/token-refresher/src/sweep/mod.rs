//! The sweep: it goes through the token table, a page for each message, and queues what is due.
//!
//! A page may be read twice, since its message may be delivered twice: what it queues looks at the row first, so that nothing is
//! refreshed twice. The continuation is queued last: where anything before fails, the page is read again, and nothing is left out.

pub(crate) mod plan;
mod row;

use std::time::Duration;

use futures::{StreamExt as _, stream};
use shared::{
    custody::upkeep::{Page, Upkeep},
    logging::chain,
};
use tracing::warn;

use self::{plan::Plan, row::Row};
use crate::{
    ending::{Ending, Swept},
    outbox,
    resources::Resources,
    setback::Setback,
};

/// How many rows of a page are sealed side by side.
const SIDE_BY_SIDE: usize = 16;

/// Queues the first page of each segment.
pub(crate) async fn begin(resources: &Resources) -> Result<Ending, Setback> {
    let plan = Plan::new(resources.table.size().await.map_err(Setback::Table)?, resources.sweep_time);
    let first_pages = plan.first_pages(resources.now()).map(|(page, delay)| (Upkeep::Page(page), delay));
    outbox::send(&resources.queue, first_pages).await?;
    Ok(Ending::Begun { segments: plan.segments, pause: plan.pause })
}

/// Reads a page, queues what is due, seals what is plain, and queues the page that follows.
pub(crate) async fn read(resources: &Resources, page: &Page) -> Result<Ending, Setback> {
    let now = resources.now();
    let found = resources.table.page(page).await.map_err(Setback::Table)?;
    let read = found.rows.len();
    let rows: Vec<_> = found.rows.iter().filter_map(|row| Row::read(row, resources.keep_alive, now).ok()).collect();
    let pause = plan::pause_after(page, resources.sweep_time, now);
    let due: Vec<_> = rows.iter().filter(|row| row.is_due).map(|row| refresh(row, pause)).collect();
    let mut swept = Swept {
        segment: page.segment,
        segments: page.segments,
        rows: read,
        due: due.len(),
        foreign: read - rows.len(),
        oldest: rows.iter().filter_map(|row| row.age).max(),
        ..Swept::default()
    };
    outbox::send(&resources.queue, due).await?;
    seal_all(resources, &rows, &mut swept).await;
    let Some(start_key) = found.next_key else { return Ok(Ending::Finished(swept)) };
    let next = Page { start_key: Some(start_key), ..page.clone() };
    outbox::send(&resources.queue, [(Upkeep::Page(next), pause)]).await?;
    Ok(Ending::Swept(swept))
}

fn refresh(row: &Row, pause: Duration) -> outbox::Delayed {
    (Upkeep::Refresh { wa_id: row.wa_id.clone() }, plan::delay(row.wa_id.as_str(), pause))
}

/// Seals the refresh tokens that stand in the page's rows as Salesforce gave them. One that cannot be sealed stays, and the next
/// sweep comes by.
async fn seal_all(resources: &Resources, rows: &[Row], swept: &mut Swept) {
    let plain =
        rows.iter().filter_map(|row| Some(resources.custody.seal_row(&row.wa_id, row.plain.as_ref()?, row.is_counted)));
    let mut sealing = stream::iter(plain).buffer_unordered(SIDE_BY_SIDE);
    let mut last_error = None;
    while let Some(sealed) = sealing.next().await {
        match sealed {
            Ok(true) => swept.sealed += 1,
            // The row has changed since: a refresh is under way, or it holds another token.
            Ok(false) => {}
            Err(error) => {
                swept.unsealed += 1;
                last_error = Some(error);
            }
        }
    }
    if let Some(error) = last_error {
        warn!(error = chain(&error), rows = swept.unsealed, "refresh tokens not sealed");
    }
}
