//! WhatsApp's providers: what an operator's secret holds, and where their APIs are. Pure.

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

const TWILIO: &str = "https://api.twilio.com";
const META: &str = "https://graph.facebook.com";
const META_VERSION: &str = "v26.0";

/// The credentials are not in the form that the provider needs. Serde's words could quote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credentials are not in the provider's form")]
pub struct UnusableCredentials;

/// Twilio's credentials, and whose messages they are for.
#[derive(Debug)]
pub struct Twilio {
    account_sid: String,
    /// For HTTP's basic authentication.
    pub user: String,
    /// The same.
    pub password: SecretString,
}

/// An API key, or the account's own token.
#[derive(Deserialize)]
#[serde(untagged)]
enum TwilioSecret {
    ApiKey { account_sid: String, api_key: String, api_key_secret: String },
    AuthToken { account_sid: String, auth_token: String },
}

/// Meta's credentials, and whose messages they are for.
#[derive(Debug)]
pub struct Meta {
    phone_number_id: String,
    api_version: Option<String>,
    /// For bearer authentication.
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
    /// [`UnusableCredentials`].
    pub fn parse(secret: &str) -> Result<Self, UnusableCredentials> {
        let (account_sid, user, password) = match serde_json::from_str(secret).map_err(|_| UnusableCredentials)? {
            TwilioSecret::ApiKey { account_sid, api_key, api_key_secret } => (account_sid, api_key, api_key_secret),
            TwilioSecret::AuthToken { account_sid, auth_token } => (account_sid.clone(), account_sid, auth_token),
        };
        Ok(Self { account_sid, user, password: password.into() })
    }

    /// The account's messages, at `base` or at Twilio's own address
    /// (<https://www.twilio.com/docs/messaging/api/message-resource>).
    ///
    /// # Errors
    /// [`UnusableCredentials`] where there is no such address.
    pub fn messages_url(&self, base: Option<&Url>) -> Result<Url, UnusableCredentials> {
        under(base, TWILIO, &["2010-04-01", "Accounts", &self.account_sid, "Messages.json"])
    }
}

impl Meta {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`UnusableCredentials`].
    pub fn parse(secret: &str) -> Result<Self, UnusableCredentials> {
        let MetaSecret { access_token, phone_number_id, api_version } =
            serde_json::from_str(secret).map_err(|_| UnusableCredentials)?;
        Ok(Self { phone_number_id, api_version, access_token: access_token.into() })
    }

    /// The phone number, at `base` or at Meta's own address
    /// (<https://developers.facebook.com/docs/whatsapp/cloud-api/reference/phone-numbers>).
    ///
    /// # Errors
    /// [`UnusableCredentials`] where there is no such address.
    pub fn phone_number_url(&self, base: Option<&Url>) -> Result<Url, UnusableCredentials> {
        under(base, META, &[self.version(), &self.phone_number_id])
    }

    /// Where its messages are sent.
    ///
    /// # Errors
    /// As [`Self::phone_number_url`].
    pub fn messages_url(&self, base: Option<&Url>) -> Result<Url, UnusableCredentials> {
        under(base, META, &[self.version(), &self.phone_number_id, "messages"])
    }

    fn version(&self) -> &str {
        self.api_version.as_deref().unwrap_or(META_VERSION)
    }
}

/// An address under the API's.
fn under(base: Option<&Url>, own: &str, segments: &[&str]) -> Result<Url, UnusableCredentials> {
    let mut url = match base {
        Some(url) => url.clone(),
        None => Url::parse(own).map_err(|_| UnusableCredentials)?,
    };
    url.path_segments_mut().map_err(|()| UnusableCredentials)?.pop_if_empty().extend(segments);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_print() {
        let twilio = Twilio::parse(r#"{"account_sid":"AC1","api_key":"SK1","api_key_secret":"S3CRET"}"#).unwrap();
        let meta = Meta::parse(r#"{"access_token":"S3CRET","phone_number_id":"1"}"#).unwrap();
        assert!(!format!("{twilio:?} {meta:?}").contains("S3CRET"));
        assert_eq!(twilio.user, "SK1");
    }

    #[test]
    fn an_api_may_live_under_a_path() {
        let base = Url::parse("http://localhost:9000/fake/").unwrap();
        let url = |base| under(base, "https://api.example.com", &["v1", "a/b"]).unwrap().to_string();
        assert_eq!(url(Some(&base)), "http://localhost:9000/fake/v1/a%2Fb");
        assert_eq!(url(None), "https://api.example.com/v1/a%2Fb");
    }

    #[test]
    fn an_api_is_where_its_provider_has_it_or_under_another_address() {
        let twilio = Twilio::parse(r#"{"account_sid":"AC1","auth_token":"t"}"#).unwrap();
        let own = twilio.messages_url(None).unwrap();
        assert_eq!(own.as_str(), "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
        let meta = Meta::parse(r#"{"access_token":"t","phone_number_id":"7","api_version":"v1.0"}"#).unwrap();
        let base = Url::parse("http://localhost:1/api/").unwrap();
        assert_eq!(meta.phone_number_url(Some(&base)).unwrap().as_str(), "http://localhost:1/api/v1.0/7");
        assert_eq!(meta.messages_url(Some(&base)).unwrap().as_str(), "http://localhost:1/api/v1.0/7/messages");
    }
}
