//! The contents of a connect link, and how it is [sealed](LinkKey) into the text that its URL has.
//!
//! Only this stack can make one, its URL reveals no phone number, and nothing has to be stored.

mod display_name;
mod sealing;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    display_name::{DisplayName, InvalidDisplayName},
    sealing::{LinkKey, NONCE_LENGTH, SealedLink},
};
use crate::{Language, LoginUrl, Timestamp, WaId, id::random_id, language::if_known};

random_id! {
    /// The id of one link: 128 bits, printed as 32 hexadecimal digits. Each press of its button is an attempt of its own.
    LinkId
}

/// An invitation to connect, for one person at one login host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its id.
    #[serde(rename = "a")]
    pub link_id: LinkId,
    /// The person's chat.
    #[serde(rename = "w")]
    pub wa_id: WaId,
    /// Where they log in.
    #[serde(rename = "l")]
    pub login_url: LoginUrl,
    /// Its page offers every login host of the stack: the person was at another one than the link named.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_for_login_host: bool,
    /// The bot gave a [reference](crate::reference) with it, which a row keeps.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub has_reference: bool,
    /// What the person calls themself, where the bot has said so.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// The language of its pages and of all that follows, where the bot has said one that there are texts in.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub language: Option<Language>,
    /// When it was made.
    #[serde(rename = "i")]
    pub issued_at: Timestamp,
    /// When it stops working.
    #[serde(rename = "e")]
    pub expires_at: Timestamp,
}

/// The text in a URL is not a connect link of this stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLink {
    /// It never was one, or it was changed on its way.
    #[error("not a connect link")]
    NotALink,
    /// It may be one that an earlier version made.
    #[error("a connect link of an earlier version")]
    OlderVersion,
}

impl Link {
    /// A link that is valid for `lifetime` from `now` on.
    #[must_use]
    pub fn new(link_id: LinkId, wa_id: WaId, login_url: LoginUrl, now: Timestamp, lifetime: Duration) -> Self {
        let expires_at = now.plus(lifetime);
        Self {
            link_id,
            wa_id,
            login_url,
            asks_for_login_host: false,
            has_reference: false,
            display_name: None,
            language: None,
            issued_at: now,
            expires_at,
        }
    }

    /// The plaintext to seal: JSON.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_plaintext(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "every field has a JSON form")]
        serde_json::to_vec(self).expect("every field has a JSON form")
    }

    /// Parses the plaintext.
    ///
    /// # Errors
    /// [`InvalidLink`].
    pub fn from_plaintext(bytes: &[u8]) -> Result<Self, InvalidLink> {
        serde_json::from_slice(bytes).map_err(|_| InvalidLink::NotALink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_as_plaintext() {
        let link = Link::new(
            LinkId::from_bytes([3; 16]),
            "whatsapp:US.ABC123XYZ".parse().unwrap(),
            "https://test.salesforce.com".parse().unwrap(),
            Timestamp::from_seconds(100),
            Duration::from_mins(15),
        );
        assert_eq!(link.expires_at, Timestamp::from_seconds(1_000));
        for more in [
            Link { asks_for_login_host: true, ..link.clone() },
            Link { has_reference: true, ..link.clone() },
            Link { display_name: Some("Zoë \"Z\" 🦀".parse().unwrap()), ..link.clone() },
            Link { language: Some(Language::Portuguese), ..link.clone() },
        ] {
            assert_eq!(Link::from_plaintext(&more.to_plaintext()), Ok(more));
        }
        let plaintext = String::from_utf8(link.to_plaintext()).unwrap();
        for field in ["\"h\"", "\"r\"", "\"n\"", "\"g\""] {
            assert!(!plaintext.contains(field), "{plaintext}: as earlier versions read it");
        }
        assert_eq!(Link::from_plaintext(&link.to_plaintext()), Ok(link));
        assert_eq!(Link::from_plaintext(b"{}"), Err(InvalidLink::NotALink));
    }

    #[test]
    fn a_link_in_a_language_of_a_later_version_is_read_without_it() {
        let text = format!(
            r#"{{"a":"{}","w":"whatsapp:+15551234567","l":"https://login.salesforce.com","g":"xx","i":100000,"e":1000000}}"#,
            "03".repeat(16)
        );
        assert_eq!(Link::from_plaintext(text.as_bytes()).unwrap().language, None);
    }

    #[test]
    fn a_link_of_before_display_names_is_read() {
        let text = format!(
            r#"{{"a":"{}","w":"whatsapp:+15551234567","l":"https://login.salesforce.com","i":100000,"e":1000000}}"#,
            "03".repeat(16)
        );
        let link = Link::from_plaintext(text.as_bytes()).unwrap();
        assert_eq!((link.display_name, link.expires_at), (None, Timestamp::from_seconds(1_000)));
    }
}
