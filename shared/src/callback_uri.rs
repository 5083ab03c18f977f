//! The URL that Salesforce redirects people to, and the connect pages beside it.

use std::{fmt, str::FromStr};

use url::Url;

use crate::login::is_confidential;

const CALLBACK: &str = "/callback";

/// The redirect URI (RFC 6749 §3.1.2): the same, byte for byte, as in Salesforce's settings. It ends in
/// `/callback`, and the connect pages are beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackUri {
    uri: String,
    origin: String,
}

/// Why a callback URI is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallbackUri {
    /// Not a URL, or not spelled as browsers spell it.
    #[error("not a URL in canonical form (lower-case host, no user name, no default port)")]
    Malformed,
    /// Anything but `https`, or `http` to a loopback host.
    #[error("not https")]
    Scheme,
    /// It does not end in `/callback`.
    #[error("does not end in /callback")]
    Path,
}

impl CallbackUri {
    /// Parses a URL; white space around it is dropped, because secrets often end in a line break.
    ///
    /// # Errors
    /// [`InvalidCallbackUri`].
    pub fn parse(text: &str) -> Result<Self, InvalidCallbackUri> {
        let text = text.trim();
        let address = Url::parse(text).map_err(|_| InvalidCallbackUri::Malformed)?;
        if !is_confidential(&address) {
            return Err(InvalidCallbackUri::Scheme);
        }
        let origin = address.origin().ascii_serialization();
        // With a user, a default port or capitals in the host it is spelled differently.
        if address.as_str() != text || !text.starts_with(&format!("{origin}/")) {
            return Err(InvalidCallbackUri::Malformed);
        }
        if address.query().is_some() || address.fragment().is_some() || !text.ends_with(CALLBACK) {
            return Err(InvalidCallbackUri::Path);
        }
        Ok(Self { uri: text.to_owned(), origin })
    }

    /// The whole URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// Its scheme, host and port, which are also those of the connect pages.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The URL of a link's page; `link` is the encrypted link.
    #[must_use]
    pub fn connect_url(&self, link: &str) -> String {
        format!("{}/connect/{link}", &self.uri[..self.uri.len() - CALLBACK.len()])
    }
}

impl FromStr for CallbackUri {
    type Err = InvalidCallbackUri;

    fn from_str(text: &str) -> Result<Self, InvalidCallbackUri> {
        Self::parse(text)
    }
}

impl fmt::Display for CallbackUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_pages_are_beside_the_callback() {
        let uri = CallbackUri::parse("https://abc.execute-api.us-east-1.amazonaws.com/callback\n").unwrap();
        assert_eq!(uri.as_str(), "https://abc.execute-api.us-east-1.amazonaws.com/callback");
        assert_eq!(uri.connect_url("x-_1"), "https://abc.execute-api.us-east-1.amazonaws.com/connect/x-_1");
        assert_eq!(uri.origin(), "https://abc.execute-api.us-east-1.amazonaws.com");

        let uri = CallbackUri::parse("http://connect.localhost:4566/sf/callback").unwrap();
        assert_eq!(uri.connect_url("x"), "http://connect.localhost:4566/sf/connect/x");
        assert_eq!(uri.origin(), "http://connect.localhost:4566");
    }

    #[test]
    fn a_url_that_a_code_must_not_be_sent_to_is_refused() {
        let refusal = |text: &str| CallbackUri::parse(text).unwrap_err();
        assert_eq!(refusal("/callback"), InvalidCallbackUri::Malformed);
        assert_eq!(refusal("https://Example.com/callback"), InvalidCallbackUri::Malformed);
        assert_eq!(refusal("https://user@example.com/callback"), InvalidCallbackUri::Malformed);
        assert_eq!(refusal("http://example.com/callback"), InvalidCallbackUri::Scheme);
        assert_eq!(refusal("https://example.com/oauth"), InvalidCallbackUri::Path);
        assert_eq!(refusal("https://example.com/callback/"), InvalidCallbackUri::Path);
        assert_eq!(refusal("https://example.com/?to=/callback"), InvalidCallbackUri::Path);
        assert_eq!(refusal("https://example.com/#/callback"), InvalidCallbackUri::Path);
    }
}
