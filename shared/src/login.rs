//! The Salesforce hosts where people log in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use url::{Host, Url};

const MAX_LENGTH: usize = 128;

/// Where people log in at Salesforce: the origin of a host, e.g. `https://login.salesforce.com`, and for an Experience Cloud
/// site its path, e.g. `https://acme.my.site.com/portal`. No trailing slash. A code that one host issued is invalid at
/// another, so the host belongs to the attempt.
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
    /// It has a user, a query, a fragment, or a path that is not a site's.
    #[error("has more than scheme, host, port and the path of a site")]
    NotASite,
    /// Longer than a state has room for.
    #[error("too long")]
    TooLong,
}

impl LoginUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        let host = self.0.find("://").map_or(0, |scheme| scheme + 3);
        self.0[host..].find('/').map_or(&self.0, |path| &self.0[..host + path])
    }

    /// The URL of an endpoint of this host or site; `path` begins with a slash.
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

    /// Whether that URL has the same origin, as `https://login.salesforce.com/id/…` has that of the default host.
    #[must_use]
    pub fn is_origin_of(&self, address: &Url) -> bool {
        address.origin().ascii_serialization() == self.origin()
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

/// The URL of a host or of a site on it, to which secrets are sent: origin and path, without a trailing slash.
///
/// # Errors
/// [`InvalidLoginUrl`].
pub(crate) fn site(text: &str) -> Result<String, InvalidLoginUrl> {
    let address = Url::parse(text).map_err(|_| InvalidLoginUrl::Malformed)?;
    if !is_confidential(&address) {
        return Err(InvalidLoginUrl::Scheme);
    }
    let path = address.path().strip_suffix('/').unwrap_or(address.path());
    let site = format!("{}{path}", address.origin().ascii_serialization());
    let is_whole = address.as_str().strip_suffix('/').unwrap_or(address.as_str()) == site;
    if is_whole && path.split('/').skip(1).all(is_plain_segment) { Ok(site) } else { Err(InvalidLoginUrl::NotASite) }
}

/// Unreserved characters (RFC 3986 §2.3). Below `services` are Salesforce's endpoints: whoever gives one means its host.
fn is_plain_segment(segment: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !segment.is_empty() && segment.bytes().all(unreserved) && segment != "services"
}

impl FromStr for LoginUrl {
    type Err = InvalidLoginUrl;

    fn from_str(text: &str) -> Result<Self, InvalidLoginUrl> {
        if text.len() > MAX_LENGTH { Err(InvalidLoginUrl::TooLong) } else { site(text).map(Self) }
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

    /// All of them, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &LoginUrl> {
        std::iter::once(&self.default).chain(&self.others)
    }

    /// This host if it is allowed, or else the default.
    #[must_use]
    pub fn allowed_or_default<'a>(&'a self, url: Option<&'a LoginUrl>) -> &'a LoginUrl {
        url.filter(|url| self.contains(url)).unwrap_or(&self.default)
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
            "https://acme--uat.sandbox.my.site.com/portal",
            "https://acme.my.site.com/portal/de-DE",
            "http://localhost:8080/portal",
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
        let site: LoginUrl = "https://ACME.my.site.com/Portal/".parse().unwrap();
        assert_eq!(site.as_str(), "https://acme.my.site.com/Portal");
        assert_eq!(site.compact(), "acme.my.site.com/Portal");
    }

    #[test]
    fn an_endpoint_of_a_site_is_below_its_path() {
        let endpoint = |url: &str| url.parse::<LoginUrl>().unwrap().endpoint("/services/oauth2/token");
        assert_eq!(endpoint("https://login.salesforce.com"), "https://login.salesforce.com/services/oauth2/token");
        assert_eq!(
            endpoint("https://acme.my.site.com/portal"),
            "https://acme.my.site.com/portal/services/oauth2/token"
        );
    }

    #[test]
    fn the_origin_of_a_site_is_without_its_path() {
        for (url, origin) in [
            ("https://login.salesforce.com", "https://login.salesforce.com"),
            ("https://acme.my.site.com/portal/de", "https://acme.my.site.com"),
            ("http://localhost:8080/portal", "http://localhost:8080"),
        ] {
            let parsed: LoginUrl = url.parse().unwrap();
            assert_eq!(parsed.origin(), origin);
            assert!(parsed.is_origin_of(&format!("{origin}/id/00D/005").parse().unwrap()), "{url}");
        }
    }

    #[test]
    fn refuses_urls_that_a_secret_must_not_be_sent_to() {
        let refusal = |text: &str| text.parse::<LoginUrl>().unwrap_err();
        assert_eq!(refusal("http://login.salesforce.com"), InvalidLoginUrl::Scheme);
        assert_eq!(refusal("http://localhost.example.com"), InvalidLoginUrl::Scheme);
        assert_eq!(refusal("ftp://login.salesforce.com"), InvalidLoginUrl::Scheme);
        assert_eq!(refusal("login.salesforce.com"), InvalidLoginUrl::Malformed);
        for url in [
            "https://login.salesforce.com/services",
            "https://login.salesforce.com/services/oauth2/authorize",
            "https://acme.my.site.com//",
            "https://acme.my.site.com//portal",
            "https://acme.my.site.com/portal//",
            "https://acme.my.site.com/my%20portal",
            "https://acme.my.site.com/portal;x",
            "https://acme.my.site.com/portal?x",
            "https://acme.my.site.com/portal#x",
            "https://user@login.salesforce.com",
            "https://login.salesforce.com?x",
        ] {
            assert_eq!(refusal(url), InvalidLoginUrl::NotASite, "{url}");
        }
        assert_eq!(refusal(&format!("https://{}.com", "a".repeat(130))), InvalidLoginUrl::TooLong);
    }

    #[test]
    fn the_first_of_a_list_is_the_default() {
        let urls: LoginUrls = "https://login.salesforce.com, https://test.salesforce.com".parse().unwrap();
        assert_eq!(urls.default_url().as_str(), "https://login.salesforce.com");
        assert_eq!(
            urls.iter().map(LoginUrl::compact).collect::<Vec<_>>(),
            ["login.salesforce.com", "test.salesforce.com"]
        );
        assert!(urls.contains(&"https://test.salesforce.com".parse().unwrap()));
        assert!(!urls.contains(&"https://evil.my.salesforce.com".parse().unwrap()));
        assert!("".parse::<LoginUrls>().is_err());
        assert!("https://login.salesforce.com,".parse::<LoginUrls>().is_err());
    }
}
