//! How an attempt can end, and what is said of it.

use serde::{Serialize, Serializer};

/// Why an attempt did not end connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The person said no at Salesforce.
    Denied,
    /// The code was too old, or used before.
    CodeExpired,
    /// The answer to the exchange was lost: nobody can tell what became of the code.
    Unknown,
    /// The org does not let this app in.
    AppBlocked,
    /// The user is frozen or deactivated.
    UserInactive,
    /// The org is locked or gone.
    OrgInactive,
    /// Too many logins for now.
    LoginRate,
    /// The app's settings here and at Salesforce do not agree.
    Misconfigured,
    /// Salesforce did not answer in time.
    SalesforceUnavailable,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A fresh link.
    Relink,
    /// Their Salesforce administrator.
    ContactAdmin,
    /// Time, and then a fresh link.
    Wait,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Denied,
        Self::CodeExpired,
        Self::Unknown,
        Self::AppBlocked,
        Self::UserInactive,
        Self::OrgInactive,
        Self::LoginRate,
        Self::Misconfigured,
        Self::SalesforceUnavailable,
    ];

    /// As stored and told to the bot.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::CodeExpired => "code_expired",
            Self::Unknown => "unknown",
            Self::AppBlocked => "app_blocked",
            Self::UserInactive => "user_inactive",
            Self::OrgInactive => "org_inactive",
            Self::LoginRate => "login_rate",
            Self::Misconfigured => "misconfigured",
            Self::SalesforceUnavailable => "salesforce_unavailable",
        }
    }

    /// Reads the stored form; `None` for a word that is no reason.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// What helps.
    #[must_use]
    pub const fn next(self) -> Next {
        match self {
            Self::Denied | Self::CodeExpired | Self::Unknown => Next::Relink,
            Self::AppBlocked | Self::UserInactive | Self::OrgInactive => Next::ContactAdmin,
            Self::LoginRate | Self::Misconfigured | Self::SalesforceUnavailable => Next::Wait,
        }
    }
}

impl Next {
    /// Every kind of help.
    pub const ALL: [Self; 3] = [Self::Relink, Self::ContactAdmin, Self::Wait];

    /// As told to the bot.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::parse("other"), None);
    }
}
