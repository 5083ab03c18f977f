//! Whether a URL answers from outside, and whether it is the party itself that answers there.

use reqwest::Url;
use serde_json::Value;
use shared::page::FORM_REFERRER_POLICY;

use super::answer::Answer;
use crate::{error::Error, http::client_for};

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The response's status.
    Status(u16),
    /// The status of a response that need not be the party's own; the text says what it is: `with a page`.
    Foreign(u16, &'static str),
    NoResponse(&'static str),
}

/// Headers of connect-link's page with its form, which nothing before it has a reason to change.
const OF_OUR_PAGE: [(&str, &str); 2] =
    [("referrer-policy", FORM_REFERRER_POLICY), ("cross-origin-opener-policy", "same-origin")];

/// Statuses that refuse a request for what it lacks or says.
const REFUSALS: [u16; 4] = [400, 401, 403, 422];
/// A bot that says one of these has looked for the signature.
const SIGNATURE: [&str; 2] = ["signature", "webhook"];
/// What a bot answers that says nothing more: the status alone, or its name, which frameworks put under it.
const PLAIN: [&str; 3] = ["", "unauthorized", "401 unauthorized"];

/// Posts an empty, unsigned request to a webhook: no bot takes that for an event.
pub(crate) async fn probe_webhook(url: &Url) -> Result<Probe, Error> {
    let request = client_for(url)?.post(url.clone()).header("content-type", "application/cloudevents+json");
    Ok(Answer::to(request).await.map_or_else(Probe::NoResponse, |answer| of_webhook(&answer)))
}

/// Requests the page of a link.
pub(crate) async fn probe_page(url: &Url) -> Result<Probe, Error> {
    let answer = Answer::to(client_for(url)?.get(url.clone())).await;
    Ok(answer.map_or_else(Probe::NoResponse, |answer| of_page(&answer)))
}

/// A refusal is taken for the bot's own where nothing before a bot answers so: it names what is refused, or it is a 401 as
/// `docs/EVENTS.md` asks for, without anything that is a gateway's.
fn of_webhook(answer: &Answer) -> Probe {
    let body = answer.body.trim().to_ascii_lowercase();
    let is_about_signature = SIGNATURE.iter().any(|word| body.contains(word));
    let what = if answer.is_page() {
        "with a page"
    } else if !answer.header("x-amzn-errortype").is_empty() {
        "with an error of API Gateway's"
    } else if !answer.header("www-authenticate").is_empty() {
        "and asks for a password or a token"
    } else if answer.status == 401 && PLAIN.contains(&body.as_str())
        || is_about_signature
        || !REFUSALS.contains(&answer.status)
    {
        return Probe::Status(answer.status);
    } else {
        match answer.json() {
            Value::Object(fields) if fields.keys().eq(["message"]) => {
                "with JSON that holds a message, as gateways send it"
            }
            _ => answer.content(),
        }
    };
    Probe::Foreign(answer.status, what)
}

fn of_page(answer: &Answer) -> Probe {
    let is_ours = OF_OUR_PAGE.iter().all(|(name, value)| answer.header(name) == *value);
    let has_form = answer.body.contains(r#"<form method="post">"#);
    if !answer.is_success() || has_form && is_ours {
        Probe::Status(answer.status)
    } else {
        Probe::Foreign(answer.status, "another page")
    }
}

#[cfg(test)]
mod tests {
    use shared::{
        Language,
        page::{Brand, Frame, Mood},
        texts,
        web::{Content, Response},
    };

    use super::{
        super::answer::tests::{answer, with_headers},
        *,
    };

    #[test]
    fn a_page_is_connect_links_by_its_form_and_its_headers() {
        let form = r#"<!DOCTYPE html><html><form method="post"><button>Continue</button></form></html>"#;
        let (brand, another) = (Brand::default(), Probe::Foreign(200, "another page"));
        let frame = Frame { brand: &brand, language: Language::English, bot: None };
        let page = frame.page(Mood::Neutral, &texts::PAGE_BACK, &frame.back_to_whatsapp());
        let content = Content::Form { page, form_action: "'self'".to_owned() };
        let sent = Response { status: 200, content, retry_after: None, cookies: Vec::new() }.into_event(false).headers;
        let sent: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(of_page(&with_headers(200, &sent, form)), Probe::Status(200));
        assert_eq!(of_page(&answer(200, form)), another);
        assert_eq!(of_page(&with_headers(200, &sent, "<html>")), another);
        assert_eq!(of_page(&answer(404, form)), Probe::Status(404));
    }

    #[test]
    fn a_page_or_an_error_of_a_gateway_in_a_webhooks_place_need_not_be_the_bots() {
        assert_eq!(of_webhook(&answer(401, "<html>")), Probe::Foreign(401, "with a page"));
        let headers = [("x-amzn-errortype", "MissingAuthenticationTokenException")];
        let gateway = with_headers(403, &headers, r#"{"message":"no signature"}"#);
        assert_eq!(of_webhook(&gateway), Probe::Foreign(403, "with an error of API Gateway's"));
        let asks = with_headers(401, &[("www-authenticate", "Bearer")], "");
        assert_eq!(of_webhook(&asks), Probe::Foreign(401, "and asks for a password or a token"));
    }

    #[test]
    fn a_refusal_that_a_gateway_may_have_sent_need_not_be_the_bots() {
        let message = "with JSON that holds a message, as gateways send it";
        for (status, body, what) in [
            (403, r#"{"message":"Missing Authentication Token"}"#, message),
            (403, r#"{"message":"Forbidden"}"#, message),
            (401, r#"{"message":"Unauthorized"}"#, message),
            (401, r#"{"statusCode":401,"message":"Unauthorized"}"#, "with JSON"),
            (401, r#"{"detail":"Unauthorized"}"#, "with JSON"),
            (403, "RBAC: access denied", "with a text"),
            (403, "", "without content"),
            (400, "", "without content"),
            (400, r#"{"error":"invalid JSON"}"#, "with JSON"),
            (422, "[]", "with JSON"),
        ] {
            assert_eq!(of_webhook(&answer(status, body)), Probe::Foreign(status, what), "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_that_names_the_signature_and_a_plain_401_are_the_bots_own() {
        for (status, body) in [
            (401, ""),
            (401, "Unauthorized"),
            (401, r#"{"error":"invalid_signature"}"#),
            (400, "Missing required headers: webhook-id"),
            (403, r#"{"message":"Invalid signature"}"#),
            (200, "{}"),
            (404, r#"{"message":"Not Found"}"#),
        ] {
            assert_eq!(of_webhook(&answer(status, body)), Probe::Status(status), "{status} {body}");
        }
    }
}
