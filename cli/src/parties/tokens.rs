//! The stack's own `POST /connections/token`, called as a bot calls it.

use serde::Deserialize;
use serde_json::json;
use shared::{Timestamp, WaId};

use crate::{
    aws::{Answer, SdkConfig, Signed},
    error::Error,
};

const ACTION: &str = "refresh the tokens";

/// How the call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// There is a token that was not rejected.
    Live,
    /// The connection has ended, for this reason where it is known.
    NeedsReauthorization(Option<String>),
    /// There is no connection.
    NotConnected,
    /// The stack leaves refreshing to the bot.
    BotCustody,
    /// Not now.
    Unavailable,
}

/// An error of ours, or of API Gateway. A token in an answer is not read.
#[derive(Default, Deserialize)]
struct Refusal {
    error: Option<String>,
    reason: Option<String>,
    error_description: Option<String>,
    message: Option<String>,
}

/// Has the stack refresh the chat's tokens, if its access token still has this hash.
pub(crate) async fn refresh_token(
    aws: &SdkConfig,
    url: &str,
    wa_id: &WaId,
    rejected: &str,
    now: Timestamp,
) -> Result<Refreshed, Error> {
    let request = Signed {
        action: ACTION,
        url,
        service: "execute-api",
        content_type: "application/json",
        target: None,
        body: json!({"wa_id": wa_id, "rejected": rejected}).to_string(),
    };
    let Answer { status, body, .. } = request.post(aws, now).await?;
    if status.is_success() {
        return Ok(Refreshed::Live);
    }
    let Refusal { error, reason, error_description, message } = serde_json::from_slice(&body).unwrap_or_default();
    match (status.as_u16(), error.as_deref()) {
        (404, Some("not_connected")) => Ok(Refreshed::NotConnected),
        (409, Some("needs_reauthorization")) => Ok(Refreshed::NeedsReauthorization(reason)),
        (409, Some("bot_custody")) => Ok(Refreshed::BotCustody),
        (503, Some("temporarily_unavailable")) => Ok(Refreshed::Unavailable),
        (status, _) => {
            let why = error_description.or(message).unwrap_or_else(|| "no reason given".to_owned());
            Err(Error::failed(ACTION, format!("the API returned {status}: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use fakes::{Answer as Fake, Server};
    use serde_json::Value;

    use super::*;
    use crate::aws::tests::config_of;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const PATH: &str = "/connections/token";
    const REJECTED: &str = "f55ff16f66f43360266b95db6f8fec01d76031054306ae4a4b380598f6cfd114";

    async fn refresh(server: &Server) -> Result<Refreshed, Error> {
        let (aws, chat) = (config_of(server).await, "whatsapp:+15551234567".parse().unwrap());
        refresh_token(&aws, &format!("{}{PATH}", server.url()), &chat, REJECTED, NOW).await
    }

    async fn answered(status: u16, body: Value) -> Result<Refreshed, Error> {
        let server = Server::start().await;
        server.on(PATH, move |_| Fake::json(status, &body));
        refresh(&server).await
    }

    #[tokio::test]
    async fn the_call_is_a_bots_signed_with_the_hash_of_the_token_that_the_row_has() {
        let server = Server::start().await;
        server.on(PATH, |_| json!({"access_token": "00Dxx!ACCESS"}).into());
        let refreshed = refresh(&server).await.unwrap();
        assert_eq!(format!("{refreshed:?}"), "Live", "no token is read");
        let request = server.only_request(PATH);
        assert_eq!(request.json(), json!({"wa_id": "whatsapp:+15551234567", "rejected": REJECTED}));
        assert!(request.header("authorization").contains("/us-east-1/execute-api/aws4_request"));
    }

    #[tokio::test]
    async fn each_answer_of_the_keeper_is_known() {
        for (status, error, expected) in [
            (404, "not_connected", Refreshed::NotConnected),
            (409, "needs_reauthorization", Refreshed::NeedsReauthorization(Some("expired".to_owned()))),
            (409, "bot_custody", Refreshed::BotCustody),
            (503, "temporarily_unavailable", Refreshed::Unavailable),
        ] {
            let answered = answered(status, json!({"error": error, "reason": "expired"})).await;
            assert_eq!(answered.unwrap(), expected, "{error}");
        }
    }

    #[tokio::test]
    async fn an_end_without_a_known_reason_is_an_end() {
        let answered = answered(409, json!({"error": "needs_reauthorization"})).await.unwrap();
        assert_eq!(answered, Refreshed::NeedsReauthorization(None));
    }

    #[tokio::test]
    async fn any_other_answer_is_an_error_that_says_what_the_api_said() {
        for (status, body, why) in [
            (403, json!({"message": "Forbidden"}), "the API returned 403: Forbidden"),
            (400, json!({"error": "invalid_request", "error_description": "no chat"}), "the API returned 400: no chat"),
            (404, json!({"message": "Not Found"}), "the API returned 404: Not Found"),
            (503, json!([]), "the API returned 503: no reason given"),
        ] {
            let error = answered(status, body).await.unwrap_err().to_string();
            assert_eq!(error, format!("cannot refresh the tokens: {why}"));
        }
    }
}
