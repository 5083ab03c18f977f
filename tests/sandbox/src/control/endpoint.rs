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
    #[serde(rename = "salesforce.userinfo")]
    SalesforceUserinfo,
    #[serde(rename = "salesforce.revoke")]
    SalesforceRevoke,
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
    pub(crate) const ALL: [Self; 7] = [
        Self::SalesforceToken,
        Self::SalesforceUserinfo,
        Self::SalesforceRevoke,
        Self::TwilioMessages,
        Self::TwilioMessage,
        Self::MetaMessages,
        Self::BotEvents,
    ];

    /// The name in the control interface.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SalesforceToken => "salesforce.token",
            Self::SalesforceUserinfo => "salesforce.userinfo",
            Self::SalesforceRevoke => "salesforce.revoke",
            Self::TwilioMessages => "twilio.messages",
            Self::TwilioMessage => "twilio.message",
            Self::MetaMessages => "meta.messages",
            Self::BotEvents => "bot.events",
        }
    }

    /// The chat that a request is about, so that faults and journal can be limited to one chat.
    pub(crate) fn wa_id(self, world: &World, path: &str, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let form = || Fields::parse(body);
        let json = || serde_json::from_slice::<Value>(body).ok();
        let of_token = |token: &str| world.salesforce.wa_id_of_token(token);
        match self {
            Self::SalesforceToken => {
                let form = form();
                form.get("code")
                    .and_then(|code| world.salesforce.wa_id_of_code(code))
                    .or_else(|| form.get("refresh_token").and_then(of_token))
            }
            Self::SalesforceUserinfo => bearer(headers).and_then(of_token),
            Self::SalesforceRevoke => form().get("token").and_then(of_token),
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
    fn is_named_alike_in_code_and_json() {
        for endpoint in Endpoint::ALL {
            assert_eq!(serde_json::to_value(endpoint).unwrap(), endpoint.name());
        }
    }
}
