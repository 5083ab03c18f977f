//! Attempts and connections, as the tables have them and as `wasf` prints them.
//!
//! Of an attempt's code only a hash is stored, and that is not read. Of a connection everything is printed but its
//! tokens.

use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{AttemptId, LoginUrl, Status, Timestamp, WaId, attempt::Item};

use crate::{
    error::Exit,
    report::{Report, Table, a_while, clock_time},
};

/// For lists: the phone number is masked.
pub(crate) fn attempt_summary(attempt: &Item) -> Value {
    json!({
        "attempt_id": attempt.attempt_id,
        "chat": attempt.wa_id.as_ref().map(WaId::masked),
        "status": attempt.status,
        "reason": attempt.reason,
        "receives": attempt.receives,
        "created_at": attempt.created_at,
        "updated_at": attempt.updated_at,
        "notified_at": attempt.notified_at,
    })
}

/// What happened, in its order. An earlier outcome than the present one has left no trace.
fn timeline(attempt: &Item) -> Vec<(Timestamp, String)> {
    let status = attempt.status.as_deref().unwrap_or("of unknown status");
    let outcome = match (&attempt.reason, &attempt.salesforce_error) {
        (Some(reason), Some(error)) => format!("{status}: {reason} (Salesforce: {error})"),
        (Some(reason), None) => format!("{status}: {reason}"),
        (None, _) => status.to_owned(),
    };
    let told = match attempt.message_error {
        Some(_) => "the bot was told that the person cannot be reached",
        None => "the bot was told",
    };
    let mut steps: Vec<_> = [
        (attempt.created_at, "the callback came".to_owned()),
        (attempt.updated_at, outcome),
        (attempt.delay_told_at, "the person was told that it takes longer".to_owned()),
        (
            attempt.messaged_at.filter(|at| Some(*at) != attempt.delay_told_at),
            "the person was sent the message".to_owned(),
        ),
        (attempt.bot_told_at, told.to_owned()),
        (attempt.notified_at, "everybody knows".to_owned()),
        (attempt.redelivered_at, "an operator had it announced again".to_owned()),
    ]
    .into_iter()
    .filter_map(|(at, what)| Some((at?, what)))
    .collect();
    steps.sort_by_key(|(at, _)| *at);
    steps
}

/// One attempt with its timeline, and its chat in full.
pub(crate) fn attempt_report(attempt: &Item, now: Timestamp) -> Report {
    let timeline = timeline(attempt);
    let mut table = Table::default();
    table.field("attempt", Some(attempt.attempt_id));
    table.field("chat", attempt.wa_id.as_ref().map(WaId::as_str));
    table.field("status", attempt.status.as_deref());
    table.field("reason", attempt.reason.as_deref());
    table.field("Salesforce's error", attempt.salesforce_error.as_deref());
    table.field("user", attempt.username.as_deref());
    table.field("org", attempt.org_id.as_deref());
    table.field("org's address", attempt.instance_url.as_deref());
    table.field("logged in at", attempt.login_url.as_deref());
    table.field("connected before", attempt.renewed.map(|renewed| if renewed { "yes" } else { "no" }));
    table.field("receives", attempt.receives);
    table.field("WhatsApp's error", attempt.message_error.as_deref());
    let held = attempt.lease_until.filter(|_| attempt.status() == Some(Status::Exchanging));
    table.field("held until", held.map(clock_time));
    let mut text = table.text();
    if attempt.is_stuck(now) {
        text.push_str("\nThe exchanger that held it is gone; the queue's next delivery takes it up.\n");
    }
    let mut steps = Table::default();
    let first = timeline.first().map_or(now, |(at, _)| *at);
    for (at, what) in &timeline {
        let after = at.since(first);
        steps.row([at.rfc3339(), format!("+{:.3} s", after.as_secs_f64()), what.clone()]);
    }
    text.push('\n');
    text.push_str(&steps.text());
    let steps: Vec<_> =
        timeline.iter().map(|(at, what)| json!({"at": at.rfc3339(), "at_ms": at, "what": what})).collect();
    let json = json!({
        "attempt_id": attempt.attempt_id,
        "wa_id": attempt.wa_id,
        "status": attempt.status,
        "reason": attempt.reason,
        "salesforce_error": attempt.salesforce_error,
        "username": attempt.username,
        "org_id": attempt.org_id,
        "instance_url": attempt.instance_url,
        "login_url": attempt.login_url,
        "renewed": attempt.renewed,
        "receives": attempt.receives,
        "message_error": attempt.message_error,
        "lease_until": attempt.lease_until,
        "stuck": attempt.is_stuck(now),
        "timeline": steps,
    });
    Report::new(text, json, Exit::Done)
}

/// Attempts in a list. Phone numbers are masked.
pub(crate) fn attempt_table(attempts: &[Item], now: Timestamp) -> Table {
    let mut table = Table::with_head(["ATTEMPT", "CHAT", "STATUS", "REASON", "RECEIVES", "AGE", "TOLD"]);
    for attempt in attempts {
        table.row([
            attempt.attempt_id.to_string(),
            attempt.wa_id.as_ref().map(WaId::masked).unwrap_or_default(),
            attempt.status.clone().unwrap_or_default(),
            attempt.reason.clone().unwrap_or_default(),
            attempt.receives.map(|number| number.to_string()).unwrap_or_default(),
            attempt.updated_at.map(|at| a_while(now.since(at))).unwrap_or_default(),
            if attempt.notified_at.is_some() { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

/// Outcomes, and who was notified of each.
pub(crate) fn outcome_table(outcomes: &[Item], now: Timestamp) -> Table {
    let mut table = Table::with_head(["ATTEMPT", "STATUS", "REASON", "AGE", "PERSON", "BOT"]);
    let told = |at: Option<Timestamp>| if at.is_some() { "told" } else { "not told" }.to_owned();
    for attempt in outcomes {
        let person =
            if attempt.message_error.is_some() { "not reachable".to_owned() } else { told(attempt.messaged_at) };
        table.row([
            attempt.attempt_id.to_string(),
            attempt.status.clone().unwrap_or_default(),
            attempt.reason.clone().unwrap_or_default(),
            attempt.updated_at.map(|at| a_while(now.since(at))).unwrap_or_default(),
            person,
            told(attempt.bot_told_at),
        ]);
    }
    table
}

/// A connection without its tokens.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) wa_id: WaId,
    pub(crate) attempt_id: Option<AttemptId>,
    pub(crate) username: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) org_id: Option<String>,
    pub(crate) instance_url: Option<String>,
    pub(crate) login_url: Option<LoginUrl>,
    pub(crate) scope: Option<String>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) connected_at: Option<Timestamp>,
    pub(crate) refreshable: bool,
}

/// Its tokens, for Salesforce alone.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) refresh: Option<SecretString>,
    pub(crate) access: Option<SecretString>,
}

impl Connection {
    pub(crate) fn report(&self) -> Report {
        let mut table = Table::default();
        table.field("chat", Some(self.wa_id.as_str()));
        table.field("user", self.username.as_deref());
        table.field("user's id", self.user_id.as_deref());
        table.field("org", self.org_id.as_deref());
        table.field("org's address", self.instance_url.as_deref());
        table.field("logged in at", self.login_url.as_ref().map(LoginUrl::as_str));
        table.field("scopes", self.scope.as_deref());
        table.field("tokens issued", self.issued_at.map(clock_time));
        table.field("connected", self.connected_at.map(clock_time));
        table.field("can be renewed", Some(if self.refreshable { "yes" } else { "no, there is no refresh token" }));
        table.field("attempt", self.attempt_id);
        let json = json!({
            "wa_id": self.wa_id,
            "username": self.username,
            "user_id": self.user_id,
            "org_id": self.org_id,
            "instance_url": self.instance_url,
            "login_url": self.login_url,
            "scope": self.scope,
            "issued_at": self.issued_at,
            "connected_at": self.connected_at,
            "refreshable": self.refreshable,
            "attempt_id": self.attempt_id,
        });
        Report::new(table.text(), json, Exit::Done)
    }

    pub(crate) fn dry_run(&self) -> Report {
        let whose = self.username.as_deref().unwrap_or("an unnamed user");
        let text = format!(
            "This would revoke the tokens of {whose} at {}, delete them here, and tell the bot.\nDo it with --confirm.\n",
            self.host()
        );
        Report::new(text, json!({"dry_run": true, "username": self.username, "host": self.host()}), Exit::Done)
    }

    /// Where its tokens can be revoked.
    pub(crate) fn host(&self) -> &str {
        self.login_url.as_ref().map(LoginUrl::as_str).or(self.instance_url.as_deref()).unwrap_or_default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn attempt(changes: &Value) -> Item {
        let mut item = json!({
            "attempt_id": "07070707070707070707070707070707",
            "wa_id": "whatsapp:+15551234567",
            "status": "connected",
            "created_at": 1_790_000_000_000_u64,
            "updated_at": 1_790_000_001_000_u64,
            "code_sha256": "HASH",
        });
        for (name, value) in changes.as_object().unwrap() {
            item[name] = value.clone();
        }
        let stored = |value: &Value| match value {
            Value::String(text) => text.as_str().into(),
            _ => value.as_u64().unwrap().into(),
        };
        let attributes = item.as_object().unwrap().iter();
        Item::read(&attributes.map(|(name, value)| (name.clone(), stored(value))).collect(), &[]).unwrap()
    }

    #[test]
    fn a_timeline_is_in_the_order_of_the_events() {
        let attempt = attempt(&json!({"notified_at": 1_790_000_003_000_u64, "messaged_at": 1_790_000_002_000_u64}));
        let steps: Vec<_> = timeline(&attempt).into_iter().map(|(_, what)| what).collect();
        assert_eq!(steps, ["the callback came", "connected", "the person was sent the message", "everybody knows"]);
    }

    #[test]
    fn a_failure_says_why_in_our_word_and_in_salesforces() {
        let failed = json!({"status": "failed", "reason": "denied", "salesforce_error": "access_denied"});
        assert_eq!(timeline(&attempt(&failed))[1].1, "failed: denied (Salesforce: access_denied)");
    }

    #[test]
    fn a_list_shows_no_phone_number() {
        assert!(!attempt_summary(&attempt(&json!({}))).to_string().contains("1555123"));
    }

    pub(crate) fn connection() -> Connection {
        Connection {
            wa_id: "whatsapp:+15551234567".parse().unwrap(),
            attempt_id: Some(AttemptId::from_bytes([7; 16])),
            username: Some("ada@example.com".to_owned()),
            user_id: None,
            org_id: Some("00D000000000001".to_owned()),
            instance_url: Some("https://acme.my.salesforce.com".to_owned()),
            login_url: Some("https://test.salesforce.com".parse().unwrap()),
            scope: None,
            issued_at: Some(Timestamp::from_millis(1_790_000_000_000)),
            connected_at: None,
            refreshable: true,
        }
    }

    #[test]
    fn tokens_are_revoked_where_they_were_made() {
        assert_eq!(connection().host(), "https://test.salesforce.com");
        let of_an_older_system = Connection { login_url: None, ..connection() };
        assert_eq!(of_an_older_system.host(), "https://acme.my.salesforce.com");
    }

    #[test]
    fn tokens_do_not_print() {
        let tokens = Tokens { refresh: Some("5Aep".into()), access: Some("00Dx".into()) };
        let shown = format!("{tokens:?}");
        assert!(!shown.contains("5Aep") && !shown.contains("00Dx"), "{shown}");
    }
}
