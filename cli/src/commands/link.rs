//! `wasf link`: a link for a chat, as a bot gets it.

use serde_json::json;
use shared::Timestamp;

use super::chat;
use crate::{
    args::LinkArgs,
    error::{Error, Exit},
    parties::{Link, request_link},
    report::Report,
    target::Target,
};

pub(crate) async fn run(args: LinkArgs, target: &Target, now: Timestamp) -> Result<Report, Error> {
    let LinkArgs { chat, login_url } = args;
    let links_url = target.own_url("/links")?;
    let wa_id = chat::for_a_link(chat, target, now).await?;
    let Link { url, id, expires_at } = request_link(&target.aws, &links_url, &wa_id, login_url.as_ref(), now).await?;
    let text = format!("{url}\n\nExpires at {expires_at}. Link {id}.\n");
    Ok(Report::new(text, json!({"url": url, "link_id": id, "expires_at": expires_at}), Exit::Done))
}
