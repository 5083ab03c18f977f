//! WhatsApp's providers, asked for the account alone: no message is sent.

use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::ExposeSecret as _;
use shared::whatsapp::{Meta, Twilio};

use crate::{
    error::Error,
    http::{client_for, word_for},
};

/// What the provider says of the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// The secret is not in the provider's form.
    Unusable,
    Refused(u16),
    /// No answer that tells anything.
    Unclear(&'static str),
}

/// Asks Twilio for one of the account's messages, which is not read: API keys may not ask for the
/// account itself.
pub(crate) async fn ask_twilio(base: Option<&Url>, credentials: &str) -> Result<Standing, Error> {
    let asked = Twilio::parse(credentials).and_then(|twilio| Ok((twilio.messages_url(base)?, twilio)));
    let Ok((url, Twilio { user, password, .. })) = asked else { return Ok(Standing::Unusable) };
    let request = client_for(&url)?.get(url).query(&[("PageSize", "1")]);
    Ok(standing(request.basic_auth(user, Some(password.expose_secret()))).await)
}

/// Asks Meta for the phone number.
pub(crate) async fn ask_meta(base: Option<&Url>, credentials: &str) -> Result<Standing, Error> {
    let asked = Meta::parse(credentials).and_then(|meta| Ok((meta.phone_number_url(base)?, meta)));
    let Ok((url, Meta { access_token, .. })) = asked else { return Ok(Standing::Unusable) };
    Ok(standing(client_for(&url)?.get(url).bearer_auth(access_token.expose_secret())).await)
}

async fn standing(request: RequestBuilder) -> Standing {
    match request.send().await {
        Ok(answer) => match answer.status() {
            status if status.is_success() => Standing::Good,
            StatusCode::TOO_MANY_REQUESTS => Standing::Unclear("it is too busy"),
            status if status.is_server_error() => Standing::Unclear("it is out of order"),
            status => Standing::Refused(status.as_u16()),
        },
        Err(error) => Standing::Unclear(word_for(&error)),
    }
}
