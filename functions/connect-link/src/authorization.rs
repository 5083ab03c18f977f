//! The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3): the URL that the browser is sent to.

use std::str::FromStr;

use form_urlencoded::Serializer;
use shared::{CallbackUri, LoginUrl};

pub(crate) struct AuthorizationRequest<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a CallbackUri,
    pub(crate) scope: &'a str,
    pub(crate) state: &'a str,
    pub(crate) code_challenge: &'a str,
    pub(crate) prompt: Prompt,
}

/// What Salesforce asks of a person who is logged in already (Salesforce Help, "OAuth 2.0 Web Server Flow", `prompt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Nothing: a live session of an app that was approved before connects at once, whoever's it is.
    None,
    /// To log in again.
    Login,
    /// To approve again.
    Consent,
    /// To choose the account.
    SelectAccount,
}

impl Prompt {
    /// The parameter's value; `None` where it is not sent.
    const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Login => Some("login"),
            Self::Consent => Some("consent"),
            Self::SelectAccount => Some("select_account"),
        }
    }
}

impl FromStr for Prompt {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "login" => Ok(Self::Login),
            "consent" => Ok(Self::Consent),
            "select_account" => Ok(Self::SelectAccount),
            _ => Err("none of login, consent, select_account, none"),
        }
    }
}

impl AuthorizationRequest<'_> {
    /// The URL at a login host.
    ///
    /// A space is `%20` and never `+`: the state begins with a phone number, and a server that takes its `+` for a
    /// space breaks the login.
    pub(crate) fn at(&self, login_url: &LoginUrl) -> String {
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", self.client_id)
            .append_pair("redirect_uri", self.redirect_uri.as_str())
            .append_pair("scope", self.scope)
            .append_pair("state", self.state)
            .append_pair("code_challenge", self.code_challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(self.prompt.as_str().map(|prompt| ("prompt", prompt)))
            .finish();
        // The serializer encodes a plus as `%2B`, so every `+` that is left stands for a space.
        format!("{}?{}", login_url.endpoint("/services/oauth2/authorize"), query.replace('+', "%20"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_percent_encoded() {
        let request = AuthorizationRequest {
            client_id: "3MVG9.a_b",
            redirect_uri: &"https://abc.example/callback".parse().unwrap(),
            scope: "api refresh_token",
            state: "wa:whatsapp:+15551234567~AQ-_",
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            prompt: Prompt::SelectAccount,
        };
        assert_eq!(
            request.at(&"https://test.salesforce.com".parse().unwrap()),
            "https://test.salesforce.com/services/oauth2/authorize?response_type=code&client_id=3MVG9.a_b\
             &redirect_uri=https%3A%2F%2Fabc.example%2Fcallback&scope=api%20refresh_token\
             &state=wa%3Awhatsapp%3A%2B15551234567%7EAQ-_\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
             &prompt=select_account"
        );
        let at_once = AuthorizationRequest { prompt: Prompt::None, ..request };
        assert!(!at_once.at(&"https://test.salesforce.com".parse().unwrap()).contains("prompt"));
    }
}
