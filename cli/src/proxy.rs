//! The environment's proxies, by the AWS CLI's rules: `HTTPS_PROXY` for https, `HTTP_PROXY` for http, `NO_PROXY` for hosts
//! that are asked directly, each also in lower case, which wins. `ALL_PROXY` is not used. Pure.
//!
//! Sources: AWS CLI User Guide, "Using an HTTP proxy for the AWS CLI"; botocore's `ProxyConfiguration`, and Python's
//! `proxy_bypass_environment`, which it asks.

use std::fmt;

use reqwest::Url;

use crate::error::Error;

/// What answers on this machine or its own network alone, and gives it credentials.
const NEVER: [&str; 4] = ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]"];

/// Which proxy a request goes through.
#[derive(Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    /// The entries of `NO_PROXY`, in lower case and without a leading dot.
    exempt: Vec<String>,
}

/// A proxy's URL may hold a password.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("exempt", &self.exempt).finish_non_exhaustive()
    }
}

impl Proxies {
    /// The proxies that the environment names.
    pub(crate) fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, Error> {
        let either =
            |lower, upper| variable(lower).map(|value| (lower, value)).or_else(|| Some((upper, variable(upper)?)));
        let proxy = |lower, upper| either(lower, upper).map(|(name, value)| parse(name, &value)).transpose();
        let exempt = either("no_proxy", "NO_PROXY").map(|(_, value)| value).unwrap_or_default();
        let entries = exempt.split(',').map(|entry| entry.trim().trim_start_matches('.').to_ascii_lowercase());
        Ok(Self {
            http: proxy("http_proxy", "HTTP_PROXY")?,
            https: proxy("https_proxy", "HTTPS_PROXY")?,
            exempt: entries.filter(|entry| !entry.is_empty()).collect(),
        })
    }

    /// The proxy for a request; `None` where it goes directly.
    pub(crate) fn url_for(&self, url: &Url) -> Option<Url> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.clone().filter(|_| !self.is_exempt(url))
    }

    fn is_exempt(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        if NEVER.contains(&host) || self.exempt == ["*"] {
            return true;
        }
        let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        let matches = |entry: &String| {
            [host, &with_port].iter().any(|host| {
                let front = host.strip_suffix(entry.as_str());
                front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
            })
        };
        self.exempt.iter().any(matches)
    }
}

/// A proxy is an `http` URL where nothing else is said. No error quotes it.
fn parse(name: &str, value: &str) -> Result<Url, Error> {
    let failed = |why: &str| Error::failed(format!("use the proxy in {name}"), format!("{why}; give http://host:port"));
    let text = match value.trim() {
        with_scheme if with_scheme.contains("://") => with_scheme.to_owned(),
        without => format!("http://{}", without.trim_start_matches('/')),
    };
    let url = Url::parse(&text).map_err(|_| failed("it is not a URL"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(failed(&format!("{scheme} proxies are not supported"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(environment: &[(&str, &str)], url: &str) -> Option<String> {
        let variable = |name: &'static str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Proxies::read(variable).unwrap().url_for(&url.parse().unwrap()).map(String::from)
    }

    const SQS: &str = "https://sqs.eu-west-1.amazonaws.com/";
    const PROXY: (&str, &str) = ("HTTPS_PROXY", "http://proxy:3128");

    #[test]
    fn a_request_goes_through_the_proxy_of_its_scheme() {
        let both = [PROXY, ("HTTP_PROXY", "http://plain:80")];
        assert_eq!(through(&both, SQS).as_deref(), Some("http://proxy:3128/"));
        assert_eq!(through(&both, "http://bot.example.com/").as_deref(), Some("http://plain/"));
        assert_eq!(through(&[PROXY], "http://bot.example.com/"), None);
        assert_eq!(through(&[], SQS), None);
    }

    #[test]
    fn the_name_in_lower_case_wins() {
        let both = [PROXY, ("https_proxy", "http://lower:1"), ("NO_PROXY", "*"), ("no_proxy", "other.example.com")];
        assert_eq!(through(&both, SQS).as_deref(), Some("http://lower:1/"));
    }

    #[test]
    fn all_proxy_is_not_used_as_with_the_aws_cli() {
        for name in ["ALL_PROXY", "all_proxy"] {
            assert_eq!(through(&[(name, "socks5://127.0.0.1:1080")], SQS), None);
        }
    }

    #[test]
    fn a_proxy_without_a_scheme_is_spoken_to_by_http() {
        for value in ["proxy:3128", "//proxy:3128", " http://proxy:3128 "] {
            assert_eq!(through(&[("HTTPS_PROXY", value)], SQS).as_deref(), Some("http://proxy:3128/"), "{value}");
        }
        assert_eq!(through(&[("HTTPS_PROXY", "https://u:p@proxy")], SQS).as_deref(), Some("https://u:p@proxy/"));
    }

    #[test]
    fn hosts_suffixes_and_ports_of_no_proxy_are_asked_directly() {
        for (entry, is_direct) in [
            ("sqs.eu-west-1.amazonaws.com", true),
            ("SQS.eu-west-1.AMAZONAWS.com", true),
            ("amazonaws.com", true),
            (".amazonaws.com", true),
            ("example.com, .amazonaws.com", true),
            ("sqs.eu-west-1.amazonaws.com:443", true),
            (".amazonaws.com:443", true),
            ("*", true),
            ("aws.com", false),
            ("sqs.eu-west-1.amazonaws.com:8443", false),
            ("kms.eu-west-1.amazonaws.com", false),
            ("eu-west-1", false),
            ("", false),
            (",", false),
        ] {
            let proxy = through(&[PROXY, ("NO_PROXY", entry)], SQS);
            assert_eq!(proxy.is_none(), is_direct, "{entry}: {proxy:?}");
        }
        let (http, address) = (("http_proxy", "proxy:3128"), "http://127.0.0.1:4566/");
        assert!(through(&[http, ("no_proxy", "127.0.0.1")], address).is_none());
        assert!(through(&[http, ("no_proxy", "127.0.0.1:4566")], address).is_none());
        assert!(through(&[http, ("no_proxy", "127.0.0.1:80")], address).is_some());
    }

    #[test]
    fn the_machines_own_credentials_are_never_asked_for_through_a_proxy() {
        for host in NEVER {
            assert_eq!(through(&[("http_proxy", "proxy:3128")], &format!("http://{host}/latest/meta-data/")), None);
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_and_not_quoted() {
        for (value, why) in [
            ("socks5://ada:S3CRET@proxy", "socks5 proxies are not supported"),
            ("http://ada:S3CRET@", "it is not a URL"),
            ("http://ada:S3CRET@a b", "it is not a URL"),
        ] {
            let error =
                Proxies::read(|name| (name == "HTTPS_PROXY").then(|| value.to_owned())).unwrap_err().to_string();
            assert!(error.starts_with("cannot use the proxy in HTTPS_PROXY: ") && error.contains(why), "{error}");
            assert!(!error.contains("S3CRET"), "{error}");
        }
        let secret = |name| (name == "HTTPS_PROXY").then(|| "http://ada:S3CRET@proxy".to_owned());
        assert!(!format!("{:?}", Proxies::read(secret).unwrap()).contains("S3CRET"));
    }
}
