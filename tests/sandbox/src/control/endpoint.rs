//! The endpoints that have faults and a journal, and the chat that a request is about.

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    World,
    fields::{Fields, bearer},
};

/// An endpoint of an outside party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Endpoint {
    #[serde(rename = "salesforce.token")]
    SalesforceToken,
    /// Requests of the token endpoint with a refresh token.
    #[serde(rename = "salesforce.refresh")]
    SalesforceRefresh,
    #[serde(rename = "salesforce.userinfo")]
    SalesforceUserinfo,
    #[serde(rename = "salesforce.introspect")]
    SalesforceIntrospect,
    #[serde(rename = "salesforce.revoke")]
    SalesforceRevoke,
    #[serde(rename = "salesforce.query")]
    SalesforceQuery,
    #[serde(rename = "twilio.messages")]
    TwilioMessages,
    #[serde(rename = "twilio.message")]
    TwilioMessage,
    #[serde(rename = "meta.messages")]
    MetaMessages,
    #[serde(rename = "bot.events")]
    BotEvents,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 10] = [
        Self::SalesforceToken,
        Self::SalesforceRefresh,
        Self::SalesforceUserinfo,
        Self::SalesforceIntrospect,
        Self::SalesforceRevoke,
        Self::SalesforceQuery,
        Self::TwilioMessages,
        Self::TwilioMessage,
        Self::MetaMessages,
        Self::BotEvents,
    ];

    /// The name in the control interface.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SalesforceToken => "salesforce.token",
            Self::SalesforceRefresh => "salesforce.refresh",
            Self::SalesforceUserinfo => "salesforce.userinfo",
            Self::SalesforceIntrospect => "salesforce.introspect",
            Self::SalesforceRevoke => "salesforce.revoke",
            Self::SalesforceQuery => "salesforce.query",
            Self::TwilioMessages => "twilio.messages",
            Self::TwilioMessage => "twilio.message",
            Self::MetaMessages => "meta.messages",
            Self::BotEvents => "bot.events",
        }
    }

    /// The endpoint of a request with this body.
    pub(crate) fn of(self, body: &[u8]) -> Self {
        let is_refresh = || Fields::parse(body).get("grant_type") == Some("refresh_token");
        if self == Self::SalesforceToken && is_refresh() { Self::SalesforceRefresh } else { self }
    }

    /// Whether a fault of this endpoint is one of another endpoint's requests, too: a refresh is asked for at the token
    /// endpoint.
    pub(crate) fn includes(self, other: Self) -> bool {
        self == other || self == Self::SalesforceToken && other == Self::SalesforceRefresh
    }

    /// The chat that a request is about, so that faults and journal can be limited to one chat.
    pub(crate) fn wa_id(self, world: &World, path: &str, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let form = || Fields::parse(body);
        let json = || serde_json::from_slice::<Value>(body).ok();
        let of_token = |token: &str| world.salesforce.wa_id_of_token(token);
        match self {
            Self::SalesforceToken => form().get("code").and_then(|code| world.salesforce.wa_id_of_code(code)),
            Self::SalesforceRefresh => form().get("refresh_token").and_then(of_token),
            Self::SalesforceUserinfo | Self::SalesforceQuery => bearer(headers).and_then(of_token),
            Self::SalesforceIntrospect | Self::SalesforceRevoke => form().get("token").and_then(of_token),
            Self::TwilioMessages => form().get("To").map(str::to_owned),
            Self::TwilioMessage => world.twilio.addressee(path),
            Self::MetaMessages => crate::meta::addressee(&json()?),
            Self::BotEvents => json()?["subject"].as_str().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_has_a_name_of_its_own() {
        let token = Endpoint::SalesforceToken;
        assert_eq!(token.of(b"grant_type=refresh_token&refresh_token=a"), Endpoint::SalesforceRefresh);
        assert_eq!(token.of(b"grant_type=authorization_code&code=a"), token);
        assert_eq!(Endpoint::BotEvents.of(b"grant_type=refresh_token"), Endpoint::BotEvents);
    }

    #[test]
    fn is_named_alike_in_code_and_json() {
        for endpoint in Endpoint::ALL {
            assert_eq!(serde_json::to_value(endpoint).unwrap(), endpoint.name());
        }
    }
}
