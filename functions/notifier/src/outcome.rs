//! How an attempt ended, as its item in the table says it.
//!
//! Pure: it reads the shape that the stream and the table share, and owns what depends on the
//! outcome alone. What is said of it is for `words` and `event`.

use std::{fmt, time::Duration};

use serde::Deserialize;
use shared::{AttemptId, LoginUrl, LoginUrls, Next, Reason, Status, Timestamp, WaId};

/// Salesforce's own pause after too many logins.
const LOGIN_RATE_PAUSE: Duration = Duration::from_hours(1);

/// Which outcome of which attempt: `delayed` may be followed by `connected`, and each is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutcomeKey {
    pub(crate) attempt_id: AttemptId,
    pub(crate) status: Status,
    pub(crate) updated_at: Timestamp,
}

impl fmt::Display for OutcomeKey {
    /// A name that stays the same whenever the outcome is announced again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.attempt_id, self.status.as_str(), self.updated_at.millis())
    }
}

/// The item does not describe an outcome. Nothing of it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the item cannot be read: {0}")]
pub(crate) struct Unreadable(pub(crate) &'static str);

/// An attempt's item, typed and not yet understood. Serde ignores the attributes not named here.
#[derive(Deserialize)]
pub(crate) struct Item {
    attempt_id: AttemptId,
    wa_id: WaId,
    status: String,
    reason: Option<String>,
    salesforce_error: Option<String>,
    username: Option<String>,
    org_id: Option<String>,
    instance_url: Option<String>,
    scope: Option<String>,
    renewed: Option<bool>,
    login_url: Option<String>,
    created_at: Option<Timestamp>,
    updated_at: Timestamp,
    notified_at: Option<Timestamp>,
    messaged_at: Option<Timestamp>,
    delay_told_at: Option<Timestamp>,
    message_error: Option<String>,
    bot_told_at: Option<Timestamp>,
}

/// Who knows of the outcome already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) person: Option<Told>,
    pub(crate) bot: bool,
    pub(crate) everyone: bool,
}

/// How telling the person ended, if it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Sent,
    Undeliverable,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) key: OutcomeKey,
    pub(crate) wa_id: WaId,
    pub(crate) outcome: Outcome,
    /// When the callback came.
    pub(crate) began_at: Option<Timestamp>,
    login_url: Option<LoginUrl>,
}

/// How.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The tokens are stored. The name is missing where Salesforce did not tell it in time.
    Connected { username: Option<String>, org_id: String, instance_url: String, scope: Option<String>, renewed: bool },
    /// It is over.
    Failed { reason: Reason, salesforce_error: Option<String> },
    /// It takes longer.
    Delayed { reason: Reason },
}

impl Item {
    pub(crate) fn key(&self) -> Result<OutcomeKey, Unreadable> {
        let status = Status::parse(&self.status).ok_or(Unreadable("unknown status"))?;
        Ok(OutcomeKey { attempt_id: self.attempt_id, status, updated_at: self.updated_at })
    }

    pub(crate) fn marks(&self) -> Marks {
        // Several messages of one attempt may each find out that it takes longer.
        let knows_of_delay = self.status == Status::Delayed.as_str() && self.delay_told_at.is_some();
        let person = match &self.message_error {
            _ if self.messaged_at.is_some() || knows_of_delay => Some(Told::Sent),
            Some(_) => Some(Told::Undeliverable),
            None => None,
        };
        Marks { person, bot: self.bot_told_at.is_some(), everyone: self.notified_at.is_some() }
    }

    pub(crate) fn understand(self) -> Result<Ended, Unreadable> {
        let key = self.key()?;
        let reason = || self.reason.as_deref().and_then(Reason::parse).ok_or(Unreadable("no known reason"));
        let outcome = match key.status {
            Status::Exchanging => return Err(Unreadable("it has not ended")),
            Status::Failed => Outcome::Failed { reason: reason()?, salesforce_error: self.salesforce_error },
            Status::Delayed => Outcome::Delayed { reason: reason()? },
            Status::Connected => Outcome::Connected {
                username: self.username,
                org_id: self.org_id.ok_or(Unreadable("no org_id"))?,
                instance_url: self.instance_url.ok_or(Unreadable("no instance_url"))?,
                scope: self.scope,
                renewed: self.renewed.unwrap_or(false),
            },
        };
        let login_url = self.login_url.and_then(|url| url.parse().ok());
        Ok(Ended { key, wa_id: self.wa_id, outcome, began_at: self.created_at, login_url })
    }
}

impl Ended {
    /// Where a fresh link leads: the host of this attempt while it is still allowed.
    pub(crate) fn login_url<'a>(&'a self, allowed: &'a LoginUrls) -> &'a LoginUrl {
        self.login_url.as_ref().filter(|url| allowed.contains(url)).unwrap_or_else(|| allowed.default_url())
    }
}

impl Outcome {
    /// What helps; `None` where nothing is wrong.
    pub(crate) fn next(&self) -> Option<Next> {
        match self {
            Self::Connected { .. } => None,
            Self::Failed { reason, .. } => Some(reason.next()),
            Self::Delayed { .. } => Some(Next::Wait),
        }
    }

    /// Is a fresh link part of what helps?
    pub(crate) fn wants_link(&self) -> bool {
        matches!(self.next(), Some(Next::Relink | Next::Wait))
    }

    /// How long a fresh link is of no use. It must live on after that.
    pub(crate) fn pause(&self) -> Duration {
        match self {
            Self::Failed { reason: Reason::LoginRate, .. } => LOGIN_RATE_PAUSE,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use fakes::attempts::item;
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn ended(changes: Value) -> Ended {
        read(changes).understand().unwrap()
    }

    fn read(changes: Value) -> Item {
        serde_json::from_value(item(changes)).unwrap()
    }

    #[test]
    fn each_status_is_understood_with_its_own_fields() {
        assert_eq!(
            ended(json!({"renewed": true})).outcome,
            Outcome::Connected {
                username: Some("ada@example.com".to_owned()),
                org_id: "00D000000000001".to_owned(),
                instance_url: "https://acme.my.salesforce.com".to_owned(),
                scope: Some("api refresh_token".to_owned()),
                renewed: true,
            }
        );
        assert_eq!(
            ended(json!({"status": "failed", "reason": "denied", "salesforce_error": "access_denied"})).outcome,
            Outcome::Failed { reason: Reason::Denied, salesforce_error: Some("access_denied".to_owned()) }
        );
        assert_eq!(
            ended(json!({"status": "delayed", "reason": "salesforce_unavailable"})).outcome,
            Outcome::Delayed { reason: Reason::SalesforceUnavailable }
        );
    }

    #[test]
    fn what_is_no_outcome_is_unreadable() {
        let refusal = |changes| read(changes).understand().unwrap_err();
        assert_eq!(refusal(json!({"status": "exchanging"})), Unreadable("it has not ended"));
        assert_eq!(refusal(json!({"status": "lost"})), Unreadable("unknown status"));
        assert_eq!(refusal(json!({"status": "failed"})), Unreadable("no known reason"));
        assert_eq!(refusal(json!({"status": "delayed", "reason": "weather"})), Unreadable("no known reason"));
        assert_eq!(refusal(json!({"org_id": null})), Unreadable("no org_id"));
    }

    #[test]
    fn the_marks_say_who_knows() {
        let marks = |changes| read(changes).marks();
        assert_eq!(marks(json!({})), Marks { person: None, bot: false, everyone: false });
        assert_eq!(marks(json!({"messaged_at": 1})), Marks { person: Some(Told::Sent), bot: false, everyone: false });
        assert_eq!(marks(json!({"status": "delayed", "delay_told_at": 1})).person, Some(Told::Sent));
        assert_eq!(marks(json!({"status": "connected", "delay_told_at": 1})).person, None);
        assert_eq!(
            marks(json!({"message_error": "63024", "bot_told_at": 1, "notified_at": 1})),
            Marks { person: Some(Told::Undeliverable), bot: true, everyone: true }
        );
    }

    #[test]
    fn a_fresh_link_leads_to_the_same_host_while_it_is_allowed() {
        let both: LoginUrls = "https://login.salesforce.com,https://test.salesforce.com".parse().unwrap();
        let one: LoginUrls = "https://login.salesforce.com".parse().unwrap();
        let ended_at = |login_url: Value| ended(json!({"login_url": login_url}));
        assert_eq!(
            ended_at(json!("https://test.salesforce.com")).login_url(&both).as_str(),
            "https://test.salesforce.com"
        );
        for gone in [json!("https://test.salesforce.com"), json!("nonsense"), Value::Null] {
            assert_eq!(ended_at(gone).login_url(&one).as_str(), "https://login.salesforce.com");
        }
    }

    #[test]
    fn an_outcome_has_a_name_that_stays() {
        assert_eq!(ended(json!({})).key.to_string(), "07070707070707070707070707070707_connected_1790000000123");
    }
}
