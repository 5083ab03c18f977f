//! Whether a URL answers from outside, and whether it is the party itself that answers there.

use reqwest::Url;
use shared::page::FORM_REFERRER_POLICY;

use super::answer::Answer;
use crate::{error::Error, http::client_for};

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The response's status.
    Status(u16),
    /// The status of a response that need not be the party's own; the text says what it is.
    Foreign(u16, &'static str),
    NoResponse(&'static str),
}

/// Headers of connect-link's page with its form, which nothing before it has a reason to change.
const OF_OUR_PAGE: [(&str, &str); 2] =
    [("referrer-policy", FORM_REFERRER_POLICY), ("cross-origin-opener-policy", "same-origin")];

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

fn of_webhook(answer: &Answer) -> Probe {
    if answer.is_page() {
        Probe::Foreign(answer.status, "a page")
    } else if !answer.header("x-amzn-errortype").is_empty() {
        Probe::Foreign(answer.status, "an error of API Gateway's")
    } else {
        Probe::Status(answer.status)
    }
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
        assert_eq!(of_webhook(&answer(401, "<html>")), Probe::Foreign(401, "a page"));
        let headers = [("x-amzn-errortype", "MissingAuthenticationTokenException")];
        let gateway = with_headers(403, &headers, r#"{"message":"Missing Authentication Token"}"#);
        assert_eq!(of_webhook(&gateway), Probe::Foreign(403, "an error of API Gateway's"));
        assert_eq!(of_webhook(&answer(401, r#"{"error":"invalid_signature"}"#)), Probe::Status(401));
    }
}
