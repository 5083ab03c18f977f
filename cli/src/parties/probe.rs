//! An address, from outside: is there anybody?

use reqwest::{RequestBuilder, Url};

use crate::{
    error::Error,
    http::{client_for, word_for},
};

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Answered(u16),
    NoAnswer(&'static str),
}

/// Sends a webhook an empty, unsigned request, which no bot takes for an event.
pub(crate) async fn probe_webhook(url: &Url) -> Result<Probe, Error> {
    let request = client_for(url)?.post(url.clone()).header("content-type", "application/cloudevents+json");
    Ok(answer(request).await)
}

/// Opens a page.
pub(crate) async fn probe_page(url: &Url) -> Result<Probe, Error> {
    Ok(answer(client_for(url)?.get(url.clone())).await)
}

async fn answer(request: RequestBuilder) -> Probe {
    match request.send().await {
        Ok(answer) => Probe::Answered(answer.status().as_u16()),
        Err(error) => Probe::NoAnswer(word_for(&error)),
    }
}
