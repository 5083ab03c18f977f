//! WhatsApp's providers: the operator's credentials with them, and the URLs of their APIs. Pure.

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// Twilio's API.
pub const TWILIO: &str = "https://api.twilio.com";
/// Meta's API.
pub const META: &str = "https://graph.facebook.com";
const META_VERSION: &str = "v26.0";

/// The secret does not hold the provider's credentials. serde's error is dropped: it could quote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret does not hold the provider's credentials")]
pub struct InvalidCredentials;

/// Credentials of a Twilio account.
#[derive(Debug)]
pub struct Twilio {
    account_sid: String,
    /// The user name for HTTP basic authentication.
    pub user: String,
    /// The password for it.
    pub password: SecretString,
}

/// An API key, or the account's own auth token.
#[derive(Deserialize)]
#[serde(untagged)]
enum TwilioSecret {
    ApiKey { account_sid: String, api_key: String, api_key_secret: String },
    AuthToken { account_sid: String, auth_token: String },
}

/// Credentials of a phone number in Meta's Cloud API.
#[derive(Debug)]
pub struct Meta {
    phone_number_id: String,
    api_version: Option<String>,
    /// The token for HTTP bearer authentication.
    pub access_token: SecretString,
}

#[derive(Deserialize)]
struct MetaSecret {
    access_token: String,
    phone_number_id: String,
    api_version: Option<String>,
}

impl Twilio {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`InvalidCredentials`].
    pub fn parse(secret: &str) -> Result<Self, InvalidCredentials> {
        let (account_sid, user, password) = match serde_json::from_str(secret).map_err(|_| InvalidCredentials)? {
            TwilioSecret::ApiKey { account_sid, api_key, api_key_secret } => (account_sid, api_key, api_key_secret),
            TwilioSecret::AuthToken { account_sid, auth_token } => (account_sid.clone(), account_sid, auth_token),
        };
        let [account_sid, user, password] = [&account_sid, &user, &password].map(|value| trimmed(value));
        Ok(Self { account_sid, user, password: password.into() })
    }

    /// The URL that messages are posted to, under `base` or under Twilio's own
    /// (<https://www.twilio.com/docs/messaging/api/message-resource>).
    ///
    /// # Errors
    /// [`InvalidCredentials`] if no path can follow `base`.
    pub fn messages_url(&self, base: Option<&Url>) -> Result<Url, InvalidCredentials> {
        under(base, TWILIO, &["2010-04-01", "Accounts", &self.account_sid, "Messages.json"])
    }

    /// The URL of the message with this SID, which tells what became of it
    /// (<https://www.twilio.com/docs/messaging/api/message-resource#fetch-a-message-resource>).
    ///
    /// # Errors
    /// As [`Self::messages_url`].
    pub fn message_url(&self, base: Option<&Url>, sid: &str) -> Result<Url, InvalidCredentials> {
        under(base, TWILIO, &["2010-04-01", "Accounts", &self.account_sid, "Messages", &format!("{sid}.json")])
    }
}

impl Meta {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`InvalidCredentials`].
    pub fn parse(secret: &str) -> Result<Self, InvalidCredentials> {
        let MetaSecret { access_token, phone_number_id, api_version } =
            serde_json::from_str(secret).map_err(|_| InvalidCredentials)?;
        let [access_token, phone_number_id] = [&access_token, &phone_number_id].map(|value| trimmed(value));
        Ok(Self {
            phone_number_id,
            api_version: api_version.as_deref().map(trimmed),
            access_token: access_token.into(),
        })
    }

    /// The URL of the phone number, under `base` or under Meta's own
    /// (<https://developers.facebook.com/docs/whatsapp/cloud-api/reference/phone-numbers>).
    ///
    /// # Errors
    /// [`InvalidCredentials`] if no path can follow `base`.
    pub fn phone_number_url(&self, base: Option<&Url>) -> Result<Url, InvalidCredentials> {
        under(base, META, &[self.version(), &self.phone_number_id])
    }

    /// The URL that messages are posted to.
    ///
    /// # Errors
    /// As [`Self::phone_number_url`].
    pub fn messages_url(&self, base: Option<&Url>) -> Result<Url, InvalidCredentials> {
        under(base, META, &[self.version(), &self.phone_number_id, "messages"])
    }

    fn version(&self) -> &str {
        self.api_version.as_deref().unwrap_or(META_VERSION)
    }
}

/// Without what is copied with a value: no credential has white space around it.
fn trimmed(value: &str) -> String {
    value.trim().to_owned()
}

/// The API's URL, `base` or its `own`, with these segments appended to the path.
fn under(base: Option<&Url>, own: &str, segments: &[&str]) -> Result<Url, InvalidCredentials> {
    let mut url = match base {
        Some(url) => url.clone(),
        None => Url::parse(own).map_err(|_| InvalidCredentials)?,
    };
    url.path_segments_mut().map_err(|()| InvalidCredentials)?.pop_if_empty().extend(segments);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn credentials_do_not_print() {
        let twilio = Twilio::parse(r#"{"account_sid":"AC1","api_key":"SK1","api_key_secret":"S3CRET"}"#).unwrap();
        let meta = Meta::parse(r#"{"access_token":"S3CRET","phone_number_id":"1"}"#).unwrap();
        assert!(!format!("{twilio:?} {meta:?}").contains("S3CRET"));
        assert_eq!(twilio.user, "SK1");
    }

    #[test]
    fn white_space_around_a_value_is_not_part_of_it() {
        let twilio = Twilio::parse(r#"{"account_sid":" AC1","auth_token":"S3CRET\n"}"#).unwrap();
        assert_eq!((&*twilio.user, twilio.password.expose_secret()), ("AC1", "S3CRET"));
        let meta =
            Meta::parse(r#"{"access_token":"\tS3CRET ","phone_number_id":"1 ","api_version":" v25.0"}"#).unwrap();
        assert_eq!(meta.access_token.expose_secret(), "S3CRET");
        assert_eq!(meta.messages_url(None).unwrap().path(), "/v25.0/1/messages");
    }

    #[test]
    fn an_api_may_be_under_a_path() {
        let base = Url::parse("http://localhost:9000/fake/").unwrap();
        let url = |base| under(base, "https://api.example.com", &["v1", "a/b"]).unwrap().to_string();
        assert_eq!(url(Some(&base)), "http://localhost:9000/fake/v1/a%2Fb");
        assert_eq!(url(None), "https://api.example.com/v1/a%2Fb");
    }

    #[test]
    fn an_api_is_at_its_providers_url_or_under_another() {
        let twilio = Twilio::parse(r#"{"account_sid":"AC1","auth_token":"t"}"#).unwrap();
        let own = twilio.messages_url(None).unwrap();
        assert_eq!(own.as_str(), "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
        let one = twilio.message_url(None, "SM1/../x").unwrap();
        assert_eq!(one.as_str(), "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/SM1%2F..%2Fx.json");
        let meta = Meta::parse(r#"{"access_token":"t","phone_number_id":"7","api_version":"v1.0"}"#).unwrap();
        let base = Url::parse("http://localhost:1/api/").unwrap();
        assert_eq!(meta.phone_number_url(Some(&base)).unwrap().as_str(), "http://localhost:1/api/v1.0/7");
        assert_eq!(meta.messages_url(Some(&base)).unwrap().as_str(), "http://localhost:1/api/v1.0/7/messages");
    }
}
