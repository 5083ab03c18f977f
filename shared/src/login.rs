//! The Salesforce hosts where people log in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use url::{Host, Url};

const MAX_LENGTH: usize = 128;

/// The origin of a Salesforce login host, e.g. `https://login.salesforce.com`. No path, no
/// trailing slash. A code that one host issued is invalid at another, so the host belongs to
/// the attempt.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct LoginUrl(String);

/// Why a login URL is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLoginUrl {
    /// Not a URL, or without a host.
    #[error("not a URL with a host")]
    Malformed,
    /// Anything but `https`, or `http` to a loopback host.
    #[error("not https")]
    Scheme,
    /// It has more than scheme, host and port.
    #[error("has more than scheme, host and port")]
    NotAnOrigin,
    /// Longer than a state has room for.
    #[error("too long")]
    TooLong,
}

impl LoginUrl {
    /// The origin.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of an endpoint at this host; `path` begins with a slash.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The form in a state: without `https://`, with `http://`.
    #[must_use]
    pub fn compact(&self) -> &str {
        self.0.strip_prefix("https://").unwrap_or(&self.0)
    }

    /// Parses the form of [`Self::compact`].
    ///
    /// # Errors
    /// [`InvalidLoginUrl`], as for the whole URL.
    pub fn from_compact(text: &str) -> Result<Self, InvalidLoginUrl> {
        if text.contains("://") { text.parse() } else { format!("https://{text}").parse() }
    }

    /// Whether this URL has this origin, as `https://login.salesforce.com/id/…` has that of the default host.
    #[must_use]
    pub fn is_origin_of(&self, address: &Url) -> bool {
        address.origin().ascii_serialization() == self.0
    }
}

/// Whether a secret may be sent to this URL: `https`, or `http` to a loopback host, which stays on the
/// machine (the exception of RFC 8252 §8.3; the local cloud uses it).
#[must_use]
pub fn is_confidential(address: &Url) -> bool {
    match (address.scheme(), address.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

impl FromStr for LoginUrl {
    type Err = InvalidLoginUrl;

    fn from_str(text: &str) -> Result<Self, InvalidLoginUrl> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidLoginUrl::TooLong);
        }
        let address = Url::parse(text).map_err(|_| InvalidLoginUrl::Malformed)?;
        if !is_confidential(&address) {
            return Err(InvalidLoginUrl::Scheme);
        }
        let origin = address.origin().ascii_serialization();
        if address.as_str() != format!("{origin}/") {
            return Err(InvalidLoginUrl::NotAnOrigin);
        }
        Ok(Self(origin))
    }
}

impl<'de> Deserialize<'de> for LoginUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for LoginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LoginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The login hosts that the operator allows: at least one, and the first is the default.
#[derive(Clone, Debug)]
pub struct LoginUrls {
    default: LoginUrl,
    others: Vec<LoginUrl>,
}

impl LoginUrls {
    /// The host for requests that name none.
    #[must_use]
    pub fn default_url(&self) -> &LoginUrl {
        &self.default
    }

    /// Whether this host is allowed.
    #[must_use]
    pub fn contains(&self, url: &LoginUrl) -> bool {
        self.default == *url || self.others.contains(url)
    }
}

impl FromStr for LoginUrls {
    type Err = InvalidLoginUrl;

    /// Parses a list separated by commas.
    fn from_str(text: &str) -> Result<Self, InvalidLoginUrl> {
        let mut urls = text.split(',').map(|part| part.trim().parse());
        let default = urls.next().ok_or(InvalidLoginUrl::Malformed)??;
        Ok(Self { default, others: urls.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_salesforces_hosts() {
        for url in [
            "https://login.salesforce.com",
            "https://test.salesforce.com",
            "https://acme--box.sandbox.my.salesforce.com",
            "https://acme.my.site.com",
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://login.localhost",
        ] {
            let parsed: LoginUrl = url.parse().unwrap();
            assert_eq!(parsed.as_str(), url);
            assert_eq!(LoginUrl::from_compact(parsed.compact()).unwrap(), parsed);
        }
        assert_eq!(
            "https://LOGIN.salesforce.com/".parse::<LoginUrl>().unwrap().as_str(),
            "https://login.salesforce.com"
        );
    }

    #[test]
    fn refuses_urls_that_a_secret_must_not_be_sent_to() {
        let refusal = |text: &str| text.parse::<LoginUrl>().unwrap_err();
        assert_eq!(refusal("http://login.salesforce.com"), InvalidLoginUrl::Scheme);
        assert_eq!(refusal("http://localhost.example.com"), InvalidLoginUrl::Scheme);
        assert_eq!(refusal("ftp://login.salesforce.com"), InvalidLoginUrl::Scheme);
        assert_eq!(refusal("login.salesforce.com"), InvalidLoginUrl::Malformed);
        assert_eq!(refusal("https://login.salesforce.com/services"), InvalidLoginUrl::NotAnOrigin);
        assert_eq!(refusal("https://user@login.salesforce.com"), InvalidLoginUrl::NotAnOrigin);
        assert_eq!(refusal("https://login.salesforce.com?x"), InvalidLoginUrl::NotAnOrigin);
        assert_eq!(refusal(&format!("https://{}.com", "a".repeat(130))), InvalidLoginUrl::TooLong);
    }

    #[test]
    fn the_first_of_a_list_is_the_default() {
        let urls: LoginUrls = "https://login.salesforce.com, https://test.salesforce.com".parse().unwrap();
        assert_eq!(urls.default_url().as_str(), "https://login.salesforce.com");
        assert!(urls.contains(&"https://test.salesforce.com".parse().unwrap()));
        assert!(!urls.contains(&"https://evil.my.salesforce.com".parse().unwrap()));
        assert!("".parse::<LoginUrls>().is_err());
        assert!("https://login.salesforce.com,".parse::<LoginUrls>().is_err());
    }
}
