//! Whether a URL answers from outside, and whether it is the party itself that answers there.

use reqwest::Url;
use shared::page::SECURITY_HEADERS;

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

/// Headers of connect-link's pages, which nothing before it has a reason to change.
const OF_OUR_PAGES: [&str; 2] = ["referrer-policy", "cross-origin-opener-policy"];

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
    let mut ours = SECURITY_HEADERS.iter().filter(|(name, _)| OF_OUR_PAGES.contains(name));
    let has_form = answer.body.contains(r#"<form method="post">"#);
    if !answer.is_success() || has_form && ours.all(|(name, value)| answer.header(name) == *value) {
        Probe::Status(answer.status)
    } else {
        Probe::Foreign(answer.status, "another page")
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::answer::tests::{answer, with_headers},
        *,
    };

    #[test]
    fn a_page_is_connect_links_by_its_form_and_its_headers() {
        let form = r#"<!DOCTYPE html><html><form method="post"><button>Continue</button></form></html>"#;
        assert_eq!(of_page(&with_headers(200, &SECURITY_HEADERS, form)), Probe::Status(200));
        assert_eq!(of_page(&answer(200, form)), Probe::Foreign(200, "another page"));
        assert_eq!(of_page(&with_headers(200, &SECURITY_HEADERS, "<html>")), Probe::Foreign(200, "another page"));
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
