//! WhatsApp's providers, asked for the account alone: no message is sent.

use reqwest::{RequestBuilder, StatusCode, Url};
use serde::Deserialize;

use super::{client_for, word_for};
use crate::error::Error;

const TWILIO: &str = "https://api.twilio.com";
const META: &str = "https://graph.facebook.com";
const META_VERSION: &str = "v26.0";

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

#[derive(Deserialize)]
#[serde(untagged)]
enum TwilioCredentials {
    ApiKey { account_sid: String, api_key: String, api_key_secret: String },
    AuthToken { account_sid: String, auth_token: String },
}

#[derive(Deserialize)]
struct MetaCredentials {
    access_token: String,
    phone_number_id: String,
    api_version: Option<String>,
}

/// Asks Twilio for one of the account's messages, which is not read: API keys may not ask for the
/// account itself.
pub(crate) async fn ask_twilio(base: Option<&str>, credentials: &str) -> Result<Standing, Error> {
    let Ok(credentials) = serde_json::from_str(credentials) else { return Ok(Standing::Unusable) };
    let (account, user, password) = match credentials {
        TwilioCredentials::ApiKey { account_sid, api_key, api_key_secret } => (account_sid, api_key, api_key_secret),
        TwilioCredentials::AuthToken { account_sid, auth_token } => (account_sid.clone(), account_sid, auth_token),
    };
    let Some(url) = under(base.unwrap_or(TWILIO), &["2010-04-01", "Accounts", &account, "Messages.json"]) else {
        return Ok(Standing::Unusable);
    };
    let client = client_for(&url)?;
    Ok(standing(client.get(url).query(&[("PageSize", "1")]).basic_auth(user, Some(password))).await)
}

/// Asks Meta for the phone number.
pub(crate) async fn ask_meta(base: Option<&str>, credentials: &str) -> Result<Standing, Error> {
    let Ok(MetaCredentials { access_token, phone_number_id, api_version }) = serde_json::from_str(credentials) else {
        return Ok(Standing::Unusable);
    };
    let version = api_version.as_deref().unwrap_or(META_VERSION);
    let Some(url) = under(base.unwrap_or(META), &[version, &phone_number_id]) else { return Ok(Standing::Unusable) };
    let client = client_for(&url)?;
    Ok(standing(client.get(url).bearer_auth(access_token)).await)
}

fn under(base: &str, segments: &[&str]) -> Option<Url> {
    let mut url = Url::parse(base).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
    Some(url)
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
