//! The end of a connection as an outcome: why it ended, and what is told of the connection that it was. Pure.
//!
//! It has a row of its own in `connection_attempts`, under an id of its own: no exchange ever claims it. How it is written
//! is in [`crate::connection::ConnectionEnd`].

use serde::{Serialize, Serializer};

use super::{AttemptId, Next, attr};
use crate::conditional_write::ConditionalWrite;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// An operator revoked it.
    Revoked,
    /// The person or the bot ended it.
    Disconnected,
    /// Salesforce takes its refresh token no more: revoked there, unused for too long, or pushed out by newer ones.
    Expired,
    /// The user is frozen or deactivated.
    UserInactive,
    /// The org is locked or gone.
    OrgInactive,
    /// The org has come to block this app.
    AppBlocked,
}

/// A connection that ended, with what is known of it: borrowed to be written, owned as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End<Text = String> {
    /// Why.
    pub reason: EndReason,
    /// The attempt that had made the connection; `None` where the row did not say so.
    pub connected_by: Option<AttemptId>,
    /// The Salesforce user's name.
    pub username: Option<Text>,
    /// The org's id.
    pub org_id: Option<Text>,
    /// The base URL of the org's API.
    pub instance_url: Option<Text>,
    /// The chat has connected again since.
    pub is_replaced: bool,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Revoked, Self::Disconnected, Self::Expired, Self::UserInactive, Self::OrgInactive, Self::AppBlocked];

    /// As stored and as sent to the bot.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Disconnected => "disconnected",
            Self::Expired => "expired",
            Self::UserInactive => "user_inactive",
            Self::OrgInactive => "org_inactive",
            Self::AppBlocked => "app_blocked",
        }
    }

    /// Parses the stored form; `None` where it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether Salesforce ended it, and nobody on this side.
    #[must_use]
    pub const fn is_by_salesforce(self) -> bool {
        match self {
            Self::Revoked | Self::Disconnected => false,
            Self::Expired | Self::UserInactive | Self::OrgInactive | Self::AppBlocked => true,
        }
    }

    /// What helps.
    #[must_use]
    pub const fn next(self) -> Next {
        match self {
            Self::Revoked | Self::Disconnected | Self::Expired => Next::Relink,
            Self::UserInactive | Self::OrgInactive | Self::AppBlocked => Next::ContactAdmin,
        }
    }
}

impl Serialize for EndReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<Text> End<Text> {
    /// What helps; `None` where the chat is connected again.
    #[must_use]
    pub const fn next(&self) -> Option<Next> {
        if self.is_replaced { None } else { Some(self.reason.next()) }
    }
}

impl End<&str> {
    /// Adds what is known of it to a write.
    pub(crate) fn written_by(&self, write: ConditionalWrite) -> ConditionalWrite {
        write
            .set(attr::REASON, self.reason.as_str())
            .set_or_remove(attr::CONNECTED_BY, self.connected_by.map(|id| id.to_string()))
            .set_or_remove(attr::USERNAME, self.username)
            .set_or_remove(attr::ORG_ID, self.org_id)
            .set_or_remove(attr::INSTANCE_URL, self.instance_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_parsed_back() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(EndReason::parse("denied"), None);
    }

    #[test]
    fn nothing_helps_where_the_chat_is_connected_again() {
        for reason in EndReason::ALL {
            let end = End {
                reason,
                connected_by: None,
                username: None,
                org_id: None,
                instance_url: None,
                is_replaced: false,
            };
            assert_eq!(end.next(), Some(reason.next()));
            assert_eq!(End::<&str> { is_replaced: true, ..end }.next(), None);
        }
    }
}
