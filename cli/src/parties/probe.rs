//! Whether a URL answers from outside.

use reqwest::{RequestBuilder, Url};

use crate::{
    error::Error,
    http::{client_for, failure},
};

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The response's status.
    Status(u16),
    NoResponse(&'static str),
}

/// Posts an empty, unsigned request to a webhook: no bot takes that for an event.
pub(crate) async fn probe_webhook(url: &Url) -> Result<Probe, Error> {
    let request = client_for(url)?.post(url.clone()).header("content-type", "application/cloudevents+json");
    Ok(probe(request).await)
}

/// Requests a page.
pub(crate) async fn probe_page(url: &Url) -> Result<Probe, Error> {
    Ok(probe(client_for(url)?.get(url.clone())).await)
}

async fn probe(request: RequestBuilder) -> Probe {
    match request.send().await {
        Ok(response) => Probe::Status(response.status().as_u16()),
        Err(error) => Probe::NoResponse(failure(&error)),
    }
}
