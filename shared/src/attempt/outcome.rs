//! How an attempt or a connection ended, why, and what helps.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{End, Status};

/// How long Salesforce refuses a user's logins once there were too many, and the longest pause that it asks for.
const PAUSE: Duration = Duration::from_hours(1);

/// How an attempt ended, or a connection, with the fields of each way: borrowed (`Outcome<&str>`) to be written, owned as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<Text = String> {
    /// The tokens are stored.
    Connected {
        /// Whose they are.
        account: Account<Text>,
        /// There was a connection before.
        renewed: bool,
    },
    /// It failed, and no retry can help.
    Failed {
        /// Why.
        reason: Reason,
        /// Salesforce's own `error`, where there was one.
        salesforce_error: Option<Text>,
    },
    /// It takes longer: an operator has to help, and a later outcome may follow.
    Delayed {
        /// Why.
        reason: Reason,
    },
    /// Not an attempt's: a connection ended.
    Ended(End<Text>),
}

/// The account of an attempt that ended connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account<Text = String> {
    /// The org's id.
    pub org_id: Text,
    /// The base URL of the org's API.
    pub instance_url: Text,
    /// `None` where Salesforce did not return it in time.
    pub username: Option<Text>,
    /// The scopes granted, where Salesforce named them.
    pub scope: Option<Text>,
}

/// Why an attempt did not end connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The person denied access at Salesforce.
    Denied,
    /// The code was expired, or redeemed before.
    CodeExpired,
    /// The code is too young to have expired: another host of Salesforce's than the link's issued it, most likely.
    WrongLoginHost,
    /// The response to the exchange was lost: whether the code was redeemed is unknown.
    Unknown,
    /// The org blocks this app.
    AppBlocked,
    /// The user is frozen or deactivated.
    UserInactive,
    /// The org is locked or gone.
    OrgInactive,
    /// Too many logins for now.
    LoginRate,
    /// The app's settings here and at Salesforce do not match.
    Misconfigured,
    /// Salesforce did not answer in time.
    SalesforceUnavailable,
    /// A later consent of the same chat won, or its connection was revoked after this consent.
    Superseded,
    /// The link was made before the chat's connection was revoked, and the person approved after it.
    OutdatedLink,
    /// The login was approved once more, after another approval had used it.
    UsedLogin,
    /// The callback came from another browser than the one that pressed the button.
    WrongBrowser,
    /// The callback came after the state had expired.
    ExpiredState,
    /// The callback had a genuine state and nothing that could be used.
    InvalidCallback,
    /// Another chat than the link's has sent the code of the login: it is not this person's.
    WrongChat,
    /// The login waited for its chat's confirmation, and none came in time.
    Unconfirmed,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A new link.
    Relink,
    /// Their Salesforce administrator.
    ContactAdmin,
    /// Time, and then a new link.
    Wait,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 18] = [
        Self::Denied,
        Self::CodeExpired,
        Self::WrongLoginHost,
        Self::Unknown,
        Self::AppBlocked,
        Self::UserInactive,
        Self::OrgInactive,
        Self::LoginRate,
        Self::Misconfigured,
        Self::SalesforceUnavailable,
        Self::Superseded,
        Self::OutdatedLink,
        Self::UsedLogin,
        Self::WrongBrowser,
        Self::ExpiredState,
        Self::InvalidCallback,
        Self::WrongChat,
        Self::Unconfirmed,
    ];

    /// As stored and as sent to the bot.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::CodeExpired => "code_expired",
            Self::WrongLoginHost => "wrong_login_host",
            Self::Unknown => "unknown",
            Self::AppBlocked => "app_blocked",
            Self::UserInactive => "user_inactive",
            Self::OrgInactive => "org_inactive",
            Self::LoginRate => "login_rate",
            Self::Misconfigured => "misconfigured",
            Self::SalesforceUnavailable => "salesforce_unavailable",
            Self::Superseded => "superseded",
            Self::OutdatedLink => "outdated_link",
            Self::UsedLogin => "used_login",
            Self::WrongBrowser => "wrong_browser",
            Self::ExpiredState => "expired_state",
            Self::InvalidCallback => "invalid_callback",
            Self::WrongChat => "wrong_chat",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    /// Parses the stored form; `None` where it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// What helps; `None` where nothing is wrong.
    #[must_use]
    pub const fn next(self) -> Option<Next> {
        match self {
            Self::Denied
            | Self::CodeExpired
            | Self::WrongLoginHost
            | Self::OutdatedLink
            | Self::UsedLogin
            | Self::Unknown
            | Self::WrongBrowser
            | Self::ExpiredState
            | Self::InvalidCallback
            | Self::Unconfirmed => Some(Next::Relink),
            Self::AppBlocked | Self::UserInactive | Self::OrgInactive => Some(Next::ContactAdmin),
            Self::LoginRate | Self::Misconfigured | Self::SalesforceUnavailable => Some(Next::Wait),
            // Whoever sent the link to somebody else is given no other one.
            Self::Superseded | Self::WrongChat => None,
        }
    }

    /// Why the receiver refused a callback, if this is such a reason.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::WrongBrowser | Self::ExpiredState | Self::InvalidCallback | Self::UsedLogin)
    }
}

impl Next {
    /// Every kind of help.
    pub const ALL: [Self; 3] = [Self::Relink, Self::ContactAdmin, Self::Wait];

    /// As sent to the bot.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relink => "relink",
            Self::ContactAdmin => "contact_admin",
            Self::Wait => "wait",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for Next {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<Text> Outcome<Text> {
    /// The attempt's status with this outcome.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Connected { .. } => Status::Connected,
            Self::Failed { .. } => Status::Failed,
            Self::Delayed { .. } => Status::Delayed,
            Self::Ended(_) => Status::Ended,
        }
    }

    /// Why it did not end connected.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Connected { .. } | Self::Ended(_) => None,
            Self::Failed { reason, .. } | Self::Delayed { reason } => Some(*reason),
        }
    }

    /// What helps; `None` where nothing is wrong.
    #[must_use]
    pub const fn next(&self) -> Option<Next> {
        match self {
            Self::Connected { .. } => None,
            Self::Failed { reason, .. } => reason.next(),
            Self::Delayed { .. } => Some(Next::Wait),
            Self::Ended(end) => end.next(),
        }
    }

    /// Whether a new link is part of what helps.
    #[must_use]
    pub const fn wants_link(&self) -> bool {
        matches!(self.next(), Some(Next::Relink | Next::Wait))
    }

    /// Whether the new link asks where the person logs in.
    #[must_use]
    pub const fn asks_for_login_host(&self) -> bool {
        matches!(self, Self::Failed { reason: Reason::WrongLoginHost, .. })
    }

    /// Whether the person hears nothing of it.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(self, Self::Failed { reason: Reason::Superseded, .. } | Self::Ended(End { is_replaced: true, .. }))
    }

    /// How long a new link may be of no use. Its lifetime begins after that.
    #[must_use]
    pub const fn pause(&self) -> Duration {
        match self {
            Self::Failed { reason: Reason::LoginRate | Reason::SalesforceUnavailable, .. } => PAUSE,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_parsed_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::parse("other"), None);
    }
}
