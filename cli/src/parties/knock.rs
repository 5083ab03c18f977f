//! An address, from outside: is there anybody?

use reqwest::{RequestBuilder, Url};

use super::{client_for, word_for};
use crate::error::Error;

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knock {
    Answered(u16),
    NoAnswer(&'static str),
}

/// Sends a webhook an empty, unsigned request, which no bot takes for an event.
pub(crate) async fn knock(url: &Url) -> Result<Knock, Error> {
    let request = client_for(url)?.post(url.clone()).header("content-type", "application/cloudevents+json");
    Ok(answer(request).await)
}

/// Opens a page.
pub(crate) async fn look(url: &Url) -> Result<Knock, Error> {
    Ok(answer(client_for(url)?.get(url.clone())).await)
}

async fn answer(request: RequestBuilder) -> Knock {
    match request.send().await {
        Ok(answer) => Knock::Answered(answer.status().as_u16()),
        Err(error) => Knock::NoAnswer(word_for(&error)),
    }
}
