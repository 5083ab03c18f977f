//! How a login stands, for the page that a person is on after it: without a name, a number, an account or an org.

use serde_json::{Value, json};
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

    /// `status`, and what helps, in the words of the bot's events.
    pub(crate) fn json(self) -> Value {
        let (status, next) = match self {
            Self::Pending { is_delayed } => ("pending", is_delayed.then_some(Next::Wait)),
            Self::Unconfirmed => ("unconfirmed", None),
            Self::Connected => ("connected", None),
            Self::Failed { next } => ("failed", next),
        };
        match next {
            Some(next) => json!({ "status": status, "next": next }),
            None => json!({ "status": status }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: &str, reason: Option<&str>) -> Value {
        let reason = reason.map(|reason| (attr::REASON.to_owned(), reason.into()));
        let row = [(attr::STATUS.to_owned(), status.into())].into_iter().chain(reason).collect();
        LoginStatus::read(&row).json()
    }

    #[test]
    fn a_login_without_a_row_is_pending() {
        assert_eq!(LoginStatus::read(&Attributes::default()).json(), json!({ "status": "pending" }));
    }

    #[test]
    fn a_status_that_is_not_known_is_pending() {
        assert_eq!(of("later", None), json!({ "status": "pending" }));
    }

    #[test]
    fn every_status_of_an_attempt_has_an_answer() {
        assert_eq!(of("exchanging", None), json!({ "status": "pending" }));
        assert_eq!(of("delayed", Some("misconfigured")), json!({ "status": "pending", "next": "wait" }));
        assert_eq!(of("unconfirmed", None), json!({ "status": "unconfirmed" }));
        assert_eq!(of("connected", None), json!({ "status": "connected" }));
    }

    #[test]
    fn a_failure_says_what_helps_and_not_why() {
        for reason in Reason::ALL {
            let answer = of("failed", Some(reason.as_str()));
            assert_eq!(answer["status"], "failed");
            assert_eq!(answer.get("next").and_then(Value::as_str), reason.next().map(Next::as_str), "{answer}");
        }
        assert_eq!(of("failed", Some("later")), json!({ "status": "failed" }));
    }
}
