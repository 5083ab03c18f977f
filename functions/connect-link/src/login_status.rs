//! How a login stands, for the page that a person is on after it: without a name, a number, an account or an org.

use shared::{
    Next, Reason, Status,
    attempt::attr,
    conditional_write::{self, Attributes},
};

/// How a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginStatus {
    /// Nothing is known yet; or it takes longer, and a later answer says how it ended.
    Pending {
        is_delayed: bool,
    },
    /// It waits for the code from its chat.
    Unconfirmed,
    Connected,
    /// It ended without a connection.
    Failed {
        next: Option<Next>,
    },
}

impl LoginStatus {
    /// Every answer there is.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::Pending { is_delayed: false },
        Self::Pending { is_delayed: true },
        Self::Unconfirmed,
        Self::Connected,
        Self::Failed { next: Some(Next::Relink) },
        Self::Failed { next: Some(Next::ContactAdmin) },
        Self::Failed { next: Some(Next::Wait) },
        Self::Failed { next: None },
    ];

    /// Reads the attributes of an attempt's row. There is none until its callback is taken from the queue. A status or a reason
    /// that is not known here counts as none.
    pub(crate) fn read(row: &Attributes) -> Self {
        let text = |name| row.get(name).and_then(conditional_write::Value::as_text);
        match text(attr::STATUS).and_then(Status::parse) {
            None | Some(Status::Exchanging) => Self::Pending { is_delayed: false },
            Some(Status::Delayed) => Self::Pending { is_delayed: true },
            Some(Status::Unconfirmed) => Self::Unconfirmed,
            Some(Status::Connected) => Self::Connected,
            // The end of a connection has a row of its own, whose id is in no state.
            Some(Status::Failed | Status::Ended) => {
                Self::Failed { next: text(attr::REASON).and_then(Reason::parse).and_then(Reason::next) }
            }
        }
    }

    /// `status`, in the words of the bot's events.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Unconfirmed => "unconfirmed",
            Self::Connected => "connected",
            Self::Failed { .. } => "failed",
        }
    }

    /// What helps.
    pub(crate) const fn next(self) -> Option<Next> {
        match self {
            Self::Pending { is_delayed: true } => Some(Next::Wait),
            Self::Failed { next } => next,
            Self::Pending { is_delayed: false } | Self::Unconfirmed | Self::Connected => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: &str, reason: Option<&str>) -> (&'static str, Option<Next>) {
        let reason = reason.map(|reason| (attr::REASON.to_owned(), reason.into()));
        let row = [(attr::STATUS.to_owned(), status.into())].into_iter().chain(reason).collect();
        let found = LoginStatus::read(&row);
        (found.label(), found.next())
    }

    #[test]
    fn a_login_without_a_row_is_pending() {
        assert_eq!(LoginStatus::read(&Attributes::default()), LoginStatus::Pending { is_delayed: false });
    }

    #[test]
    fn a_status_that_is_not_known_is_pending() {
        assert_eq!(of("later", None), ("pending", None));
    }

    #[test]
    fn every_status_of_an_attempt_has_an_answer() {
        assert_eq!(of("exchanging", None), ("pending", None));
        assert_eq!(of("delayed", Some("misconfigured")), ("pending", Some(Next::Wait)));
        assert_eq!(of("unconfirmed", None), ("unconfirmed", None));
        assert_eq!(of("connected", None), ("connected", None));
    }

    #[test]
    fn a_failure_says_what_helps_and_not_why() {
        for reason in Reason::ALL {
            assert_eq!(of("failed", Some(reason.as_str())), ("failed", reason.next()), "{reason:?}");
        }
        assert_eq!(of("failed", Some("later")), ("failed", None));
    }
}
