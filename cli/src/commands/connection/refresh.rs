//! `wasf connection refresh`: the stack's own refresh, asked for as a bot does.

use serde_json::json;
use shared::{
    Timestamp, WaId,
    connection::{StoredTokens, is_connected, token_sha256},
    timestamp::Clock,
};

use super::missing;
use crate::{
    aws::ConnectionTable,
    error::{Error, Exit},
    parties::{Refreshed, refresh_token},
    records::{Custody, Form},
    report::{Report, clock_time},
    target::Target,
};

pub(super) async fn run(
    wa_id: &WaId,
    confirm: bool,
    tokens: &ConnectionTable,
    target: &Target,
    clock: Clock,
) -> Result<Report, Error> {
    let row = tokens.row(wa_id).await?;
    if !is_connected(&row) {
        return Err(missing());
    }
    let stored = StoredTokens::read(&row);
    let no_token = || Error::failed("refresh the tokens", "the row has no access token; a new login makes one");
    let token = stored.as_ref().and_then(StoredTokens::access_token).ok_or_else(no_token)?;
    let before = Custody::read(&row, Form::of(&row), None, clock()).refreshed_at();
    if target.stack.parameter("TokenCustody") == "Bot" {
        return Ok(report(&Refreshed::BotCustody, before, before));
    }
    if !confirm {
        let at = before.map_or_else(|| "at an unknown time".to_owned(), clock_time);
        let text =
            format!("Dry run: would have the stack refresh the tokens (last: {at}).\nRun it again with --confirm.\n");
        return Ok(Report::new(text, json!({"dry_run": true, "refreshed_at": before}), Exit::Done));
    }
    let url = target.own_url("/connections/token")?;
    let refreshed = refresh_token(&target.aws, &url, wa_id, &token_sha256(token), clock()).await?;
    let row = tokens.row(wa_id).await?;
    let after = Custody::read(&row, Form::of(&row), None, clock()).refreshed_at();
    Ok(report(&refreshed, before, after))
}

fn report(refreshed: &Refreshed, before: Option<Timestamp>, after: Option<Timestamp>) -> Report {
    let at = |time: Option<Timestamp>| time.map_or_else(|| "unknown".to_owned(), clock_time);
    let (result, text, exit) = match refreshed {
        Refreshed::Live if before == after => (
            "not_stored",
            "The bot has a live token, but the row does not show it yet: the upkeep queue stores it. Run: wasf dlq stats"
                .to_owned(),
            Exit::InPart,
        ),
        Refreshed::Live => {
            ("refreshed", format!("Refreshed. Tokens before: {}, now: {}.", at(before), at(after)), Exit::Done)
        }
        Refreshed::NeedsReauthorization(reason) => (
            "needs_reauthorization",
            format!(
                "The connection has ended ({}): the person has to log in again, and the chat and the bot are told.",
                reason.as_deref().unwrap_or("reason unknown")
            ),
            Exit::Failed,
        ),
        Refreshed::NotConnected => ("not_connected", "The chat has no connection any more.".to_owned(), Exit::NothingMatched),
        Refreshed::BotCustody => (
            "bot_custody",
            "TokenCustody is Bot: the bot refreshes its tokens itself, the stack never does.".to_owned(),
            Exit::Failed,
        ),
        Refreshed::Unavailable => (
            "temporarily_unavailable",
            "Not refreshed: temporarily unavailable, nothing has ended. The keeper's log has the reason: \
             wasf logs --since 5m --function token-keeper"
                .to_owned(),
            Exit::Failed,
        ),
    };
    let reason = match refreshed {
        Refreshed::NeedsReauthorization(reason) => reason.as_deref(),
        _ => None,
    };
    let json = json!({
        "dry_run": false, "result": result, "reason": reason, "refreshed_before": before, "refreshed_after": after,
    });
    Report::new(format!("{text}\n"), json, exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Option<Timestamp> = Some(Timestamp::from_seconds(1_790_000_000));
    const AFTER: Option<Timestamp> = Some(Timestamp::from_seconds(1_790_000_060));

    #[test]
    fn a_refresh_shows_when_tokens_came_before_and_after() {
        let done = report(&Refreshed::Live, BEFORE, AFTER);
        assert_eq!((&done.json["result"], done.exit), (&json!("refreshed"), Exit::Done));
        assert_eq!(done.text, "Refreshed. Tokens before: 2026-09-21T14:13:20Z, now: 2026-09-21T14:14:20Z.\n");
    }

    #[test]
    fn a_token_that_is_not_stored_yet_is_not_said_to_be() {
        let waiting = report(&Refreshed::Live, BEFORE, BEFORE);
        assert_eq!((&waiting.json["result"], waiting.exit), (&json!("not_stored"), Exit::InPart));
    }

    #[test]
    fn an_end_is_told_with_its_reason() {
        let ended = report(&Refreshed::NeedsReauthorization(Some("expired".to_owned())), BEFORE, BEFORE);
        assert_eq!((&ended.json["reason"], ended.exit), (&json!("expired"), Exit::Failed));
    }

    #[test]
    fn nothing_is_refreshed_where_the_bot_has_the_custody() {
        let refused = report(&Refreshed::BotCustody, BEFORE, BEFORE);
        assert!(refused.exit == Exit::Failed && refused.text.contains("the stack never does"), "{}", refused.text);
    }
}
