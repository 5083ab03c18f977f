//! How a chat's connection stands, by its row and its newest attempt. Pure.

use serde::Serialize;
use shared::{
    Reference, Status,
    attempt::{EndReason, attr},
    conditional_write::{Attributes, Value, text},
    connection::{CONNECTED_AT, ENDED_AT, ENDED_REASON, REFRESHED_AT, is_connected},
};

/// How a chat's connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It never was connected, as far as the tables say.
    Never,
    /// It is not connected, and a login is being processed.
    Pending,
    /// It is not connected, and a login waits for the chat to send its code.
    Unconfirmed,
    /// It has tokens.
    Connected,
    /// It was connected; the reason is known where this stack has ended it.
    Ended(Option<EndReason>),
}

/// The answer of the status call.
#[derive(Serialize)]
pub(crate) struct StatusAnswer<'a> {
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<EndReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) org_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connected_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refreshed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<Reference>,
}

impl Standing {
    /// By the row alone, which never says that a login is being processed.
    pub(crate) fn of(row: &Attributes) -> Self {
        if is_connected(row) {
            Self::Connected
        } else if row.contains_key(ENDED_AT) {
            Self::Ended(text(row, ENDED_REASON).and_then(EndReason::parse))
        } else {
            Self::Never
        }
    }

    /// By the status of the newest attempt of a chat that is not connected; `None` where that attempt is over. `delayed` is
    /// followed by another outcome.
    pub(crate) const fn under_way(newest: Status) -> Option<Self> {
        match newest {
            Status::Exchanging | Status::Delayed => Some(Self::Pending),
            Status::Unconfirmed => Some(Self::Unconfirmed),
            Status::Connected | Status::Failed | Status::Ended => None,
        }
    }

    /// The answer. An account is named only where it is or was this connection's; the reference is the connection's or, while
    /// a login is being processed, that of its attempt.
    pub(crate) fn answer<'a>(self, row: &'a Attributes, attempt: &Attributes) -> StatusAnswer<'a> {
        let named = matches!(self, Self::Connected | Self::Ended(_));
        let text = |name| if named { text(row, name) } else { None };
        let time = |name| if self == Self::Connected { rfc3339(row, name) } else { None };
        let reference = match self {
            Self::Never => None,
            Self::Pending | Self::Unconfirmed => Reference::of(attempt),
            Self::Connected | Self::Ended(_) => Reference::of(row),
        };
        let (status, reason) = match self {
            Self::Never => ("never", None),
            Self::Pending => ("pending", None),
            Self::Unconfirmed => ("unconfirmed", None),
            Self::Connected => ("connected", None),
            Self::Ended(reason) => ("ended", reason),
        };
        StatusAnswer {
            status,
            reason,
            username: text(attr::USERNAME),
            org_id: text(attr::ORG_ID),
            instance_url: text(attr::INSTANCE_URL),
            scope: text(attr::SCOPE),
            connected_at: time(CONNECTED_AT),
            refreshed_at: time(REFRESHED_AT),
            reference,
        }
    }
}

fn rfc3339(row: &Attributes, name: &str) -> Option<String> {
    row.get(name).and_then(Value::as_time).map(shared::Timestamp::rfc3339)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::connection::{ACCESS_TOKEN, ISSUED_AT};

    use super::*;

    fn row(attributes: &[(&str, Value)]) -> Attributes {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn account() -> Vec<(&'static str, Value)> {
        vec![
            (attr::USERNAME, "ada@example.com".into()),
            (attr::ORG_ID, "00D000000000001".into()),
            (attr::INSTANCE_URL, "https://acme.my.salesforce.com".into()),
        ]
    }

    fn answer(standing: Standing, row: &Attributes) -> serde_json::Value {
        serde_json::to_value(standing.answer(row, &Attributes::new())).unwrap()
    }

    #[test]
    fn a_row_with_tokens_is_connected() {
        let mut connected = account();
        connected.extend([
            (ACCESS_TOKEN, "s3cret".into()),
            (attr::SCOPE, "api refresh_token".into()),
            (CONNECTED_AT, 1_790_000_000_123.into()),
            (REFRESHED_AT, 1_790_003_600_000.into()),
        ]);
        let row = row(&connected);
        assert_eq!(Standing::of(&row), Standing::Connected);
        assert_eq!(
            answer(Standing::Connected, &row),
            json!({
                "status": "connected",
                "username": "ada@example.com",
                "org_id": "00D000000000001",
                "instance_url": "https://acme.my.salesforce.com",
                "scope": "api refresh_token",
                "connected_at": "2026-09-21T14:13:20.123Z",
                "refreshed_at": "2026-09-21T15:13:20Z",
            })
        );
    }

    #[test]
    fn a_row_of_the_older_system_is_connected() {
        let row = row(&[(ACCESS_TOKEN, "s3cret".into()), (ISSUED_AT, 1.into())]);
        assert_eq!(answer(Standing::of(&row), &row), json!({ "status": "connected" }));
    }

    #[test]
    fn an_end_says_why_and_whose_it_was() {
        let mut ended = account();
        ended.extend([(ENDED_AT, 5.into()), (ENDED_REASON, "expired".into())]);
        let row = row(&ended);
        assert_eq!(
            answer(Standing::of(&row), &row),
            json!({
                "status": "ended",
                "reason": "expired",
                "username": "ada@example.com",
                "org_id": "00D000000000001",
                "instance_url": "https://acme.my.salesforce.com",
            })
        );
    }

    #[test]
    fn the_reference_is_the_connections_or_that_of_the_login_under_way() {
        let [of_row, of_attempt] = ["row", "attempt"].map(|text| row(&[(attr::REFERENCE, text.into())]));
        for (standing, expected) in [
            (Standing::Connected, Some("row")),
            (Standing::Ended(None), Some("row")),
            (Standing::Pending, Some("attempt")),
            (Standing::Unconfirmed, Some("attempt")),
            (Standing::Never, None),
        ] {
            let reference = standing.answer(&of_row, &of_attempt).reference;
            assert_eq!(reference.as_ref().map(Reference::as_str), expected, "{standing:?}");
        }
    }

    #[test]
    fn a_reason_that_nobody_knows_is_left_out() {
        let row = row(&[(ENDED_AT, 5.into()), (ENDED_REASON, "of the bot".into())]);
        assert_eq!(answer(Standing::of(&row), &row), json!({ "status": "ended" }));
    }

    #[test]
    fn what_a_bot_keeps_in_a_row_is_no_connection() {
        let row = row(&[("of_the_bot", "note".into()), (attr::USERNAME, "x".into())]);
        assert_eq!(answer(Standing::of(&row), &row), json!({ "status": "never" }));
        assert_eq!(answer(Standing::Pending, &row), json!({ "status": "pending" }));
        assert_eq!(answer(Standing::Unconfirmed, &row), json!({ "status": "unconfirmed" }));
    }

    #[test]
    fn an_attempt_is_under_way_until_it_has_a_last_outcome() {
        for status in Status::ALL {
            let last = matches!(status, Status::Connected | Status::Failed | Status::Ended);
            assert_eq!(Standing::under_way(status).is_none(), last, "{status:?}");
        }
    }
}
