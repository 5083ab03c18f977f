//! What the bot asks for with `POST /links`: `{"wa_id": …, "login_url": …}`, the second optional.

use serde::Deserialize;
use shared::{LoginUrl, LoginUrls, WaId, login::InvalidLoginUrl};

/// The longest body looked at; both fields at their longest have some 300 bytes.
const MAX_LENGTH: usize = 4_096;

/// A link to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) wa_id: WaId,
    pub(crate) login_url: LoginUrl,
}

/// Why a body is no order. The text goes to the bot's developer; it does not quote the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOrder {
    #[error("the body must be a JSON object with the text wa_id and, if wanted, the text login_url")]
    Malformed,
    #[error("wa_id must be whatsapp:+<digits> or whatsapp:<CC>.<id>")]
    WaId,
    #[error("login_url must be one of the stack's LoginUrls: scheme and host, no path")]
    LoginUrl,
    #[error("the body or login_url is too long")]
    TooLong,
}

#[derive(Deserialize)]
struct Body {
    wa_id: String,
    login_url: Option<String>,
}

impl Order {
    /// Reads the body; a login host that the operator does not allow is refused.
    pub(crate) fn parse(body: &[u8], allowed: &LoginUrls) -> Result<Self, InvalidOrder> {
        if body.len() > MAX_LENGTH {
            return Err(InvalidOrder::TooLong);
        }
        let Body { wa_id, login_url } = serde_json::from_slice(body).map_err(|_| InvalidOrder::Malformed)?;
        let wa_id = wa_id.parse().map_err(|_| InvalidOrder::WaId)?;
        let login_url = match login_url {
            None => allowed.default_url().clone(),
            Some(text) => text.parse().map_err(|error| match error {
                InvalidLoginUrl::TooLong => InvalidOrder::TooLong,
                _ => InvalidOrder::LoginUrl,
            })?,
        };
        if allowed.contains(&login_url) { Ok(Self { wa_id, login_url }) } else { Err(InvalidOrder::LoginUrl) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Order, InvalidOrder> {
        let allowed = "https://login.salesforce.com,https://test.salesforce.com".parse().unwrap();
        Order::parse(body.as_bytes(), &allowed)
    }

    #[test]
    fn the_first_login_host_is_the_default() {
        for body in [
            r#"{"wa_id":"whatsapp:+15551234567"}"#,
            r#"{"wa_id":"whatsapp:+15551234567","login_url":null,"unknown":[1]}"#,
        ] {
            let order = parse(body).unwrap();
            assert_eq!(order.wa_id.as_str(), "whatsapp:+15551234567");
            assert_eq!(order.login_url.as_str(), "https://login.salesforce.com");
        }
    }

    #[test]
    fn another_login_host_must_be_an_allowed_one() {
        let with = |url: &str| parse(&format!(r#"{{"wa_id":"whatsapp:+15551234567","login_url":"{url}"}}"#));
        assert_eq!(with("https://test.salesforce.com/").unwrap().login_url.as_str(), "https://test.salesforce.com");
        for url in [
            "https://evil.my.salesforce.com",
            "http://login.salesforce.com",
            "https://login.salesforce.com@evil.example",
            "https://login.salesforce.com/services",
            "",
        ] {
            assert_eq!(with(url), Err(InvalidOrder::LoginUrl), "{url}");
        }
        assert_eq!(with(&format!("https://{}.com", "a".repeat(200))), Err(InvalidOrder::TooLong));
    }

    #[test]
    fn says_in_which_way_a_body_is_wrong() {
        for body in ["", "{}", "[]", "not json", r#"{"wa_id":15551234567}"#, r#"{"wa_id":"whatsapp:+1","login_url":1}"#]
        {
            assert_eq!(parse(body), Err(InvalidOrder::Malformed), "{body}");
        }
        assert_eq!(parse(r#"{"wa_id":"+15551234567"}"#), Err(InvalidOrder::WaId));
        assert_eq!(parse(&format!(r#"{{"wa_id":"{}"}}"#, "a".repeat(5_000))), Err(InvalidOrder::TooLong));
    }
}
