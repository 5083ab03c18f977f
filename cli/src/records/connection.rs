//! A connection as the token table has it: everything but its tokens.
//!
//! Bots write the row too, in forms of their own: an attribute that cannot be read is named, and the rest is shown.

#[cfg(test)]
use serde_json::Value;
use serde_json::json;
use shared::{
    AttemptId, Timestamp, WaId,
    attempt::attr,
    conditional_write::{Attributes, Value as Stored},
    connection::{CONNECTED_AT, CONSENTED_AT, END_ID, ENDED_AT, ENDED_REASON, ISSUED_AT, USER_ID},
    printable::printable,
};

use super::Record;
use crate::{
    error::Exit,
    report::{Report, clock_time},
};

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) wa_id: WaId,
    pub(crate) attempt_id: Option<AttemptId>,
    pub(crate) username: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) org_id: Option<String>,
    pub(crate) instance_url: Option<String>,
    pub(crate) login_url: Option<String>,
    pub(crate) scope: Option<String>,
    /// The bot's own.
    pub(crate) reference: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) connected_at: Option<Timestamp>,
    pub(crate) consented_at: Option<Timestamp>,
    pub(crate) ended: Option<End>,
    pub(crate) refreshable: bool,
    /// Attributes that are there in another form.
    pub(crate) unreadable: Vec<&'static str>,
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) at: Option<Timestamp>,
    pub(crate) reason: Option<String>,
    /// Its record in the attempt table; earlier versions made none.
    pub(crate) record: Option<AttemptId>,
}

impl Connection {
    /// Reads the chat's row.
    pub(crate) fn read(wa_id: &WaId, row: &Attributes, refreshable: bool) -> Self {
        let mut reader = Reader { row, unreadable: Vec::new() };
        Self {
            wa_id: wa_id.clone(),
            attempt_id: reader.attribute(attr::ATTEMPT_ID, |value| value.as_text()?.parse().ok()),
            username: reader.text(attr::USERNAME),
            user_id: reader.text(USER_ID),
            org_id: reader.text(attr::ORG_ID),
            instance_url: reader.text(attr::INSTANCE_URL),
            login_url: reader.text(attr::LOGIN_URL),
            scope: reader.text(attr::SCOPE),
            reference: reader.text(attr::REFERENCE),
            language: reader.text(attr::LANGUAGE),
            issued_at: reader.time(ISSUED_AT),
            connected_at: reader.time(CONNECTED_AT),
            consented_at: reader.time(CONSENTED_AT),
            ended: row.contains_key(ENDED_AT).then(|| End {
                at: reader.time(ENDED_AT),
                reason: reader.text(ENDED_REASON),
                record: reader.attribute(END_ID, |value| value.as_text()?.parse().ok()),
            }),
            refreshable,
            unreadable: reader.unreadable,
        }
    }

    pub(crate) fn report(&self) -> Report {
        let status = match &self.ended {
            Some(End { reason: Some(reason), .. }) => format!("ended: {reason}"),
            Some(_) => "ended".to_owned(),
            None => "connected".to_owned(),
        };
        let refreshable = match (&self.ended, self.refreshable) {
            (Some(_), _) => None,
            (None, true) => Some("yes"),
            (None, false) => Some("no, without a refresh token"),
        };
        let mut record = Record::default();
        record.field("chat", "wa_id", Some(self.wa_id.as_str()));
        record.worded("status", Some(status), "status", if self.ended.is_some() { "ended" } else { "connected" });
        record.field("user", "username", self.username.as_deref());
        record.field("user id", "user_id", self.user_id.as_deref());
        record.field("org", "org_id", self.org_id.as_deref());
        record.field("instance URL", "instance_url", self.instance_url.as_deref());
        record.field("login host", "login_url", self.login_url.as_deref());
        record.field("scopes", "scope", self.scope.as_deref());
        record.field("bot's reference", "reference", self.reference.as_deref());
        record.field("language", "language", self.language.as_deref());
        record.worded("tokens issued", self.issued_at.map(clock_time), "issued_at", self.issued_at);
        record.worded("connected", self.connected_at.map(clock_time), "connected_at", self.connected_at);
        let consented_at = self.consented_at.filter(|_| self.ended.is_none());
        record.worded("consented", consented_at.map(clock_time), "consented_at", self.consented_at);
        record.worded("ended", self.ended_at().map(clock_time), "ended_at", self.ended_at());
        record.value("ended_reason", self.ended.as_ref().and_then(|end| end.reason.as_deref()));
        record.field("end", "end_id", self.ended.as_ref().and_then(|end| end.record));
        record.worded("refreshable", refreshable, "refreshable", self.refreshable);
        record.field("attempt", "attempt_id", self.attempt_id);
        let unreadable = Some(self.unreadable.join(", ")).filter(|names| !names.is_empty());
        record.worded("unreadable", unreadable, "unreadable", &self.unreadable);
        record.report(if self.unreadable.is_empty() { Exit::Done } else { Exit::InPart })
    }

    pub(crate) fn dry_run(&self) -> Report {
        let whose = self.username.as_deref().unwrap_or("an unknown user");
        let host = self.login_url.as_deref().or(self.instance_url.as_deref()).unwrap_or_default();
        let would = match &self.ended {
            Some(End { record: Some(record), .. }) => {
                format!("The connection has ended. Dry run: would change nothing. See wasf attempt show {record}.")
            }
            Some(_) => "The connection has ended. Dry run: would have the chat and the bot told of it.".to_owned(),
            None => format!(
                "Dry run: would revoke the tokens of {} at {}, delete them, and have the chat and the bot told. Links from \
                 before would connect no more.",
                printable(whose),
                printable(host),
            ),
        };
        let json = json!({"dry_run": true, "username": self.username, "host": host, "ended": self.ended.is_some()});
        Report::new(format!("{would}\nRun it again with --confirm.\n"), json, Exit::Done)
    }

    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.ended.as_ref().and_then(|end| end.at)
    }
}

struct Reader<'a> {
    row: &'a Attributes,
    unreadable: Vec<&'static str>,
}

impl Reader<'_> {
    fn attribute<T>(&mut self, name: &'static str, read: impl FnOnce(&Stored) -> Option<T>) -> Option<T> {
        let found = self.row.get(name)?;
        let read = read(found);
        if read.is_none() {
            self.unreadable.push(name);
        }
        read
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        self.attribute(name, |value| value.as_text().map(str::to_owned))
    }

    /// Bots that write Salesforce's own answer back write `issued_at` as a text.
    fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        self.attribute(name, |value| {
            value.as_time().or_else(|| value.as_text()?.parse().ok().map(Timestamp::from_millis))
        })
    }
}

/// A connection for tests, as JSON of these values.
#[cfg(test)]
pub(crate) fn example(changes: &Value) -> Connection {
    let row = json!({
        "attempt_id": "07070707070707070707070707070707",
        "username": "ada@example.com",
        "org_id": "00D000000000001",
        "instance_url": "https://acme.my.salesforce.com",
        "login_url": "https://test.salesforce.com",
        "issued_at": 1_790_000_000_000_u64,
    });
    let row = super::stored(&row, changes);
    let wa_id: Result<WaId, _> = "whatsapp:+15551234567".parse();
    wa_id.map_or_else(|_| unreachable!("an address"), |wa_id| Connection::read(&wa_id, &row, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoked_connection_is_shown_as_ended() {
        let revoked = example(&json!({"ended_at": 1_790_000_009_000_u64, "ended_reason": "revoked"})).report();
        assert_eq!((&revoked.json["status"], &revoked.json["ended_reason"]), (&json!("ended"), &json!("revoked")));
        assert!(revoked.text.contains("ended: revoked") && !revoked.text.contains("refreshable"), "{}", revoked.text);
        assert_eq!(example(&json!({})).report().json["status"], "connected");
    }

    #[test]
    fn a_row_that_a_bot_wrote_in_its_own_form_is_shown() {
        let shown = example(&json!({"issued_at": "1790000000123", "username": 7, "scope": ["api"]})).report();
        assert_eq!(shown.json["issued_at"], 1_790_000_000_123_u64);
        assert_eq!((&shown.json["unreadable"], shown.exit), (&json!(["username", "scope"]), Exit::InPart));
        assert_eq!(shown.json["org_id"], "00D000000000001");
    }

    #[test]
    fn the_bots_reference_and_the_language_are_shown() {
        let shown = example(&json!({"reference": "crm/42", "language": "hi"})).report();
        assert_eq!((&shown.json["reference"], &shown.json["language"]), (&json!("crm/42"), &json!("hi")));
        assert!(shown.text.contains("crm/42"), "{}", shown.text);
    }

    #[test]
    fn names_of_other_parties_are_escaped() {
        let hostile = example(&json!({"username": "ada\u{1b}[2J\nDone.\u{202e}"}));
        for text in [hostile.report().text, hostile.dry_run().text] {
            assert!(text.contains(r"ada\u{1b}[2J\nDone.\u{202e}"), "{text}");
        }
    }
}
