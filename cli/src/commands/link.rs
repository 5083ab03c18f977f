//! `wasf link`: a link for a chat, as a bot would get it.

use serde_json::json;
use shared::Timestamp;

use crate::{
    args::LinkArgs,
    error::{Error, Exit},
    parties::{Link, ask_for_link},
    report::Report,
    target::Target,
};

pub(crate) async fn run(order: &LinkArgs, target: &Target, now: Timestamp) -> Result<Report, Error> {
    let links_url = target.own_url("/links")?;
    let Link { url, attempt_id, expires_at } =
        ask_for_link(&target.aws, &links_url, &order.wa_id, order.login_url.as_ref(), now).await?;
    let text = format!("{url}\n\nIt opens until {expires_at}. Its attempt is {attempt_id}.\n");
    Ok(Report::new(text, json!({"url": url, "attempt_id": attempt_id, "expires_at": expires_at}), Exit::Done))
}
