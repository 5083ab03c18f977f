//! What a callback says in place of a code: an error and Salesforce's words about it. Pure.

use serde::{Deserialize, Serialize};

use super::{Description, description::NUMBER};

/// Why Salesforce sent no code: the authorization response's `error` (RFC 6749 §4.1.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The error code.
    pub error: DenialError,
    /// The description, a stranger's text: printable ASCII only, and shortened.
    #[serde(rename = "error_description", default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
}

impl Denial {
    /// What a callback says. Whatever is no part of the error code is kept with the description, because it may say why.
    #[must_use]
    pub fn from_untrusted(error: &str, description: Option<&str>) -> Self {
        let code = DenialError::from_untrusted(error);
        let beside = match error.split_once(':') {
            _ if code.as_str() == error => "",
            _ if code.as_str() == UNKNOWN => error,
            Some((_, appended)) => appended,
            None => "",
        };
        let description = Description::from_untrusted(&format!("{beside} {}", description.unwrap_or_default()));
        Self { error: code, description }
    }
}

/// The `error` of an authorization response (RFC 6749 §4.1.2.1) or of the token endpoint (§5.2): letters, digits, `_`
/// and `-` only, because it comes from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DenialError(String);

/// In place of an error code that is none.
const UNKNOWN: &str = "unknown";

impl DenialError {
    /// Accepts an error code of up to 64 of these characters, with `_` in place of spaces and without what is appended to it
    /// after a colon; anything else becomes `unknown`, and so does what can be a phone number.
    #[must_use]
    pub fn from_untrusted(text: &str) -> Self {
        let (code, _) = text.split_once(':').unwrap_or((text, ""));
        let code = code.split_whitespace().collect::<Vec<_>>().join("_");
        let is_plain = (1..=64).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        let has_number = code.split(|c: char| c.is_ascii_alphabetic()).any(|part| digits(part) >= NUMBER);
        Self(if is_plain && !has_number { code } else { UNKNOWN.to_owned() })
    }

    /// Whether somebody said no: the person or, with a description that says so, their administrator.
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        let code = self.0.to_ascii_lowercase().replace('-', "_");
        ["access_denied", "user_denied", "end_user_denied"].contains(&code.as_str())
    }

    /// The error code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

impl<'de> Deserialize<'de> for DenialError {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_untrusted(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_code_from_outside_is_kept_if_it_is_a_plain_word() {
        assert_eq!(DenialError::from_untrusted("access-denied").as_str(), "access-denied");
        assert_eq!(DenialError::from_untrusted(" access denied\u{a0}").as_str(), "access_denied");
        assert_eq!(DenialError::from_untrusted("OAUTH_APP_BLOCKED: by admin").as_str(), "OAUTH_APP_BLOCKED");
        for odd in ["", "<script>", "\u{e9}", ":", "15551234567", "x-1-555-123-4567", &"a".repeat(65)] {
            assert_eq!(DenialError::from_untrusted(odd).as_str(), "unknown");
        }
    }

    #[test]
    fn only_a_denial_denies_access() {
        for (code, denies) in
            [("access_denied", true), ("Access-Denied", true), ("server_error", false), ("unknown", false)]
        {
            assert_eq!(DenialError::from_untrusted(code).is_access_denied(), denies, "{code}");
        }
    }

    #[test]
    fn what_is_appended_to_an_error_code_is_kept_with_the_description() {
        for (error, description, kept) in [
            ("OAUTH_APP_BLOCKED: by admin", Some("ask them"), ("OAUTH_APP_BLOCKED", Some("by admin ask them"))),
            ("invalid_grant: inactive user", None, ("invalid_grant", Some("inactive user"))),
            ("<p>user isn\u{2019}t active</p>", None, ("unknown", Some("<p>user isn't active</p>"))),
            ("access_denied", Some("denied"), ("access_denied", Some("denied"))),
            ("access_denied", None, ("access_denied", None)),
            ("unknown", None, ("unknown", None)),
        ] {
            let denial = Denial::from_untrusted(error, description);
            let shown = (denial.error.as_str(), denial.description.as_ref().map(Description::as_str));
            assert_eq!(shown, kept, "{error}");
        }
    }
}
