//! What the browser, or a program, is told. Nothing of the request is in it.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use maud::{Markup, html};
use serde_json::{Value, json};
use shared::{
    AttemptId,
    page::{self, BotPhoneNumber, Mood},
};

use crate::{Refusal, callback};

/// Seconds until a reload is worth it.
const RETRY_AFTER: &str = "5";
const ACCESS_DENIED: &str = "access_denied";

/// How a callback was met.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The code is on the queue.
    Accepted(AttemptId),
    /// Salesforce brought an error in place of a code, and the queue has it.
    Denied(AttemptId),
    /// Nothing is on the queue, and nothing will be.
    Refused(Refusal),
    /// It could not be checked or queued just now: the code still lives, a reload works.
    Unavailable,
    /// A look without a visit (HEAD).
    Looked,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Reply {
    /// One word for the log.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Denied(_) => ACCESS_DENIED,
            Self::Refused(refusal) => refusal.word(),
            Self::Unavailable => "unavailable",
            Self::Looked => "looked",
        }
    }

    /// The attempt that the queue has.
    pub(crate) const fn attempt_id(&self) -> Option<AttemptId> {
        match self {
            Self::Accepted(id) | Self::Denied(id) => Some(*id),
            Self::Refused(_) | Self::Unavailable | Self::Looked => None,
        }
    }

    /// The HTTP response: a page, or JSON where the request asks for it.
    #[must_use]
    pub(crate) fn to_response(
        &self,
        request: &ApiGatewayV2httpRequest,
        bot: Option<&BotPhoneNumber>,
    ) -> ApiGatewayV2httpResponse {
        let (content_type, body) = if callback::wants_json(request) {
            ("application/json", self.json().to_string())
        } else {
            ("text/html; charset=utf-8", self.page(bot))
        };
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = self.status();
        let policy = page::content_security_policy("'none'");
        let headers = [("content-type", content_type), ("content-security-policy", policy.as_str())];
        for (name, value) in headers.into_iter().chain(page::SECURITY_HEADERS) {
            if let Ok(value) = value.parse() {
                response.headers.insert(name, value);
            }
        }
        if matches!(self, Self::Unavailable)
            && let Ok(value) = RETRY_AFTER.parse()
        {
            response.headers.insert("retry-after", value);
        }
        if !matches!(self, Self::Looked) {
            response.body = Some(body.into());
        }
        response
    }

    fn status(&self) -> i64 {
        match self {
            Self::Accepted(_) | Self::Looked => 200,
            Self::Denied(_) | Self::Refused(_) => 400,
            Self::Unavailable => 503,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Accepted(attempt_id) => json!({"status": "accepted", "attempt_id": attempt_id}),
            Self::Denied(_) => {
                json!({"error": ACCESS_DENIED, "error_description": "access was denied at Salesforce"})
            }
            Self::Refused(refusal) => json!({"error": refusal.word(), "error_description": refusal.to_string()}),
            Self::Unavailable => json!({
                "error": "temporarily_unavailable",
                "error_description": "the callback could not be taken just now; repeat it as it is",
            }),
            Self::Looked => Value::Null,
        }
    }

    fn page(&self, bot: Option<&BotPhoneNumber>) -> String {
        let (mood, title, text) = match self {
            Self::Accepted(_) | Self::Looked => (
                Mood::Good,
                "Almost done: go back to WhatsApp",
                html! { p { "Salesforce said yes. The chat tells you as soon as you are connected, mostly within seconds." } },
            ),
            Self::Denied(_) => (
                Mood::Neutral,
                "Not connected",
                html! { p { "Salesforce was not allowed to share your account, so nothing was connected. If that was a mistake, the chat has a fresh link for you." } },
            ),
            Self::Refused(refusal) => refusal.page(),
            Self::Unavailable => {
                return page::retry_page(
                    "One more try, please",
                    &html! { p { "We could not take your login just now. Nothing is lost: reload this page in a few seconds." } },
                );
            }
        };
        page::page(mood, title, &html! { (text) (page::back_to_whatsapp(bot)) })
    }
}

impl Refusal {
    /// The error's name on the wire and in the log.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::MissingCode => "missing_code",
            Self::MissingState => "missing_state",
            Self::DuplicateParameter => "duplicate_parameter",
            Self::InvalidState => "invalid_state",
            Self::ExpiredState => "expired_state",
            Self::WrongBrowser => "wrong_browser",
            Self::TooLong => "too_long",
        }
    }

    fn page(self) -> (Mood, &'static str, Markup) {
        match self {
            Self::ExpiredState => (
                Mood::Bad,
                "This login took too long",
                html! { p { "For your safety a link works for a short while only. Ask the bot for a new one and log in again." } },
            ),
            Self::WrongBrowser => (
                Mood::Bad,
                "Please finish where you began",
                html! { p { "This login was begun in another browser. Open the link from your own chat and press the button there. If somebody sent you this link, close the page: it would connect your Salesforce to their chat." } },
            ),
            Self::MissingCode | Self::MissingState => (
                Mood::Neutral,
                "Nothing to do here",
                html! { p { "If you have just logged in at Salesforce, go back to WhatsApp: the chat tells you how it went. Otherwise ask the bot for a link." } },
            ),
            Self::DuplicateParameter | Self::InvalidState | Self::TooLong => (
                Mood::Bad,
                "This login cannot be used",
                html! { p { "It does not belong to any chat we know. Ask the bot for a new link and log in again." } },
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::encodings::Body;

    use super::*;

    const REFUSALS: [Refusal; 7] = [
        Refusal::MissingCode,
        Refusal::MissingState,
        Refusal::DuplicateParameter,
        Refusal::InvalidState,
        Refusal::ExpiredState,
        Refusal::WrongBrowser,
        Refusal::TooLong,
    ];

    fn attempt() -> AttemptId {
        AttemptId::from_bytes([7; 16])
    }

    fn respond(reply: &Reply, accept: &str) -> (ApiGatewayV2httpResponse, String) {
        let mut request = ApiGatewayV2httpRequest::default();
        request.headers.insert("accept", accept.parse().unwrap());
        let bot = "+14155238886".parse().unwrap();
        let mut response = reply.to_response(&request, Some(&bot));
        let body = match response.body.take() {
            Some(Body::Text(text)) => text,
            _ => String::new(),
        };
        (response, body)
    }

    fn json(reply: &Reply) -> (i64, Value) {
        let (response, body) = respond(reply, "application/json");
        assert_eq!(response.headers["content-type"], "application/json");
        (response.status_code, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn programs_get_the_documented_json() {
        let id = attempt().to_string();
        assert_eq!(json(&Reply::Accepted(attempt())), (200, json!({"status": "accepted", "attempt_id": id})));
        for refusal in REFUSALS {
            let (status, body) = json(&refusal.into());
            assert_eq!(status, 400);
            assert_eq!(body["error"], refusal.word());
            assert_eq!(body["error_description"], refusal.to_string());
        }
        let (status, body) = json(&Reply::Denied(attempt()));
        assert_eq!((status, &body["error"]), (400, &json!("access_denied")));
    }

    #[test]
    fn a_person_gets_a_page_with_the_way_back() {
        let (response, body) = respond(&Reply::Accepted(attempt()), "text/html");
        assert_eq!(response.status_code, 200);
        assert_eq!(response.headers["content-type"], "text/html; charset=utf-8");
        assert!(body.contains("Almost done: go back to WhatsApp"), "{body}");
        assert!(body.contains("https://wa.me/14155238886"), "{body}");
        for refusal in REFUSALS {
            assert_eq!(respond(&refusal.into(), "text/html").0.status_code, 400);
        }
    }

    #[test]
    fn an_outage_asks_for_a_reload_and_keeps_the_query() {
        let (response, body) = respond(&Reply::Unavailable, "text/html");
        assert_eq!(response.status_code, 503);
        assert_eq!(response.headers["retry-after"], RETRY_AFTER);
        assert!(body.contains("reload") && !body.contains("replaceState"), "{body}");
    }

    #[test]
    fn every_answer_is_kept_by_nobody() {
        for accept in ["text/html", "application/json"] {
            for reply in [Reply::Accepted(attempt()), Reply::Unavailable, Reply::Looked, Refusal::TooLong.into()] {
                let headers = respond(&reply, accept).0.headers;
                assert_eq!(headers["cache-control"], "no-store");
                assert_eq!(headers["referrer-policy"], "no-referrer");
                assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
            }
        }
    }

    #[test]
    fn a_look_has_no_body() {
        assert_eq!(respond(&Reply::Looked, "text/html").1, "");
    }
}
