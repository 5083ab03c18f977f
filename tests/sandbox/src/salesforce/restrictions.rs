//! What an org's administrator, or Salesforce, forbids: users, orgs, the app, addresses.

use serde::Deserialize;

use super::{authorize::OAuthError, ledger::Approval};

/// A prohibition. All but the last end access tokens too, for as long as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Restriction {
    /// The user is frozen or deactivated.
    InactiveUser,
    /// The org is closed or suspended.
    InactiveOrg,
    /// The administrator has blocked the app.
    AppBlocked,
    /// The address that calls is not on the allow-list for refresh tokens, which access tokens do not have.
    IpRestricted,
}

/// Whose grants something is about: all that have what is given here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    wa_id: Option<String>,
    username: Option<String>,
    /// 18 characters.
    org_id: Option<String>,
}

/// A restriction, as the control interface is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restricted {
    restriction: Restriction,
    wa_id: Option<String>,
    username: Option<String>,
    org_id: Option<String>,
}

/// The restrictions that stand, oldest first.
#[derive(Default)]
pub(super) struct Restrictions(Vec<(Restriction, Whose)>);

impl Restrictions {
    pub(super) fn add(&mut self, restricted: Restricted) {
        let Restricted { restriction, wa_id, username, org_id } = restricted;
        self.0.push((restriction, Whose { wa_id, username, org_id }));
    }

    /// Lifts those that were made for exactly these, or all.
    pub(super) fn lift(&mut self, whose: &Whose) {
        self.0.retain(|(_, of)| *whose != Whose::default() && of != whose);
    }

    /// What forbids to get tokens.
    pub(super) fn on(&self, approval: &Approval) -> Option<Restriction> {
        self.0.iter().find(|(_, whose)| whose.covers(approval)).map(|(restriction, _)| *restriction)
    }

    /// Whether access tokens are refused.
    pub(super) fn end_access(&self, approval: &Approval) -> bool {
        let of_access = |restriction: Restriction| restriction != Restriction::IpRestricted;
        self.0.iter().any(|(restriction, whose)| of_access(*restriction) && whose.covers(approval))
    }
}

impl Whose {
    pub(super) fn covers(&self, approval: &Approval) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
        is(&self.wa_id, approval.wa_id.as_deref())
            && is(&self.username, Some(approval.user.username))
            && is(&self.org_id, Some(approval.user.org_id))
    }
}

impl Restriction {
    /// The token endpoint's answer.
    pub(super) fn error(self) -> OAuthError {
        let (error, description) = match self {
            Self::InactiveUser => ("inactive_user", "user is inactive"),
            Self::InactiveOrg => ("inactive_org", "organization is locked, closed, or suspended"),
            Self::AppBlocked => ("OAUTH_APP_BLOCKED", "this app is blocked by admin"),
            Self::IpRestricted => ("invalid_grant", "ip restricted or invalid login hours"),
        };
        OAuthError { error, description }
    }

    /// What keeps the person from logging in, in words for them.
    pub(super) fn at_login(self) -> Option<&'static str> {
        match self {
            Self::InactiveUser => Some("Your account is inactive. Contact your Salesforce administrator."),
            Self::InactiveOrg => Some("Your organization is locked, closed, or suspended."),
            Self::AppBlocked | Self::IpRestricted => None,
        }
    }
}
