//! `wasf attempt`: what became of people's tries to connect.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{AttemptId, Status, Timestamp, WaId, timestamp::Clock};

use crate::{
    args::{AttemptCommand, StatusArg},
    aws,
    error::{Error, Exit},
    report::{Progress, Report, Table, a_while, clock_time, count},
    span::Span,
    target::Target,
};

/// An attempt, as the table has it. Of its code only a hash stands there, and that is not read.
#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the attributes are called")]
pub(crate) struct Attempt {
    pub(crate) attempt_id: AttemptId,
    pub(crate) wa_id: Option<WaId>,
    pub(crate) status: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) salesforce_error: Option<String>,
    pub(crate) lease_until: Option<Timestamp>,
    pub(crate) receives: Option<u64>,
    pub(crate) username: Option<String>,
    pub(crate) org_id: Option<String>,
    pub(crate) instance_url: Option<String>,
    pub(crate) login_url: Option<String>,
    pub(crate) renewed: Option<bool>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) updated_at: Option<Timestamp>,
    pub(crate) delay_told_at: Option<Timestamp>,
    pub(crate) messaged_at: Option<Timestamp>,
    pub(crate) message_error: Option<String>,
    pub(crate) bot_told_at: Option<Timestamp>,
    pub(crate) notified_at: Option<Timestamp>,
    pub(crate) redelivered_at: Option<Timestamp>,
}

impl From<StatusArg> for Status {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Exchanging => Self::Exchanging,
            StatusArg::Connected => Self::Connected,
            StatusArg::Failed => Self::Failed,
            StatusArg::Delayed => Self::Delayed,
        }
    }
}

const ALL: [Status; 4] = [Status::Exchanging, Status::Connected, Status::Failed, Status::Delayed];

impl Attempt {
    /// The status; `None` for a word that is none.
    pub(crate) fn status(&self) -> Option<Status> {
        Status::parse(self.status.as_deref()?)
    }

    /// Held by an exchanger that has been gone for a while.
    pub(crate) fn is_stuck(&self, now: Timestamp) -> bool {
        self.status() == Some(Status::Exchanging) && self.lease_until.is_some_and(|until| until < now)
    }

    /// For lists: the phone number is masked.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "attempt_id": self.attempt_id,
            "chat": self.wa_id.as_ref().map(WaId::masked),
            "status": self.status,
            "reason": self.reason,
            "receives": self.receives,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "notified_at": self.notified_at,
        })
    }

    /// What happened, in its order. An earlier outcome than the present one has left no trace.
    fn timeline(&self) -> Vec<(Timestamp, String)> {
        let status = self.status.as_deref().unwrap_or("of unknown status");
        let outcome = match (&self.reason, &self.salesforce_error) {
            (Some(reason), Some(error)) => format!("{status}: {reason} (Salesforce: {error})"),
            (Some(reason), None) => format!("{status}: {reason}"),
            (None, _) => status.to_owned(),
        };
        let told = match self.message_error {
            Some(_) => "the bot was told that the person cannot be reached",
            None => "the bot was told",
        };
        let mut steps: Vec<_> = [
            (self.created_at, "the callback came".to_owned()),
            (self.updated_at, outcome),
            (self.delay_told_at, "the person was told that it takes longer".to_owned()),
            (
                self.messaged_at.filter(|at| Some(*at) != self.delay_told_at),
                "the person was sent the message".to_owned(),
            ),
            (self.bot_told_at, told.to_owned()),
            (self.notified_at, "everybody knows".to_owned()),
            (self.redelivered_at, "an operator had it announced again".to_owned()),
        ]
        .into_iter()
        .filter_map(|(at, what)| Some((at?, what)))
        .collect();
        steps.sort_by_key(|(at, _)| *at);
        steps
    }
}

pub(crate) async fn run(command: AttemptCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let attempts = aws::Attempts::new(&target.aws, target.stack.output("AttemptTableName")?);
    match command {
        AttemptCommand::Show { attempt_id } => show(&attempts, attempt_id, clock()).await,
        AttemptCommand::List { status, since, max } => list(&attempts, status, since, max, clock()).await,
    }
}

async fn show(attempts: &aws::Attempts, attempt_id: AttemptId, now: Timestamp) -> Result<Report, Error> {
    let gone = || {
        let why = "its link was not used to the end, or it is older than 90 days";
        Error::NothingMatched(format!("there is no attempt {attempt_id}: {why}"))
    };
    let attempt = attempts.read(attempt_id).await?.ok_or_else(gone)?;
    let timeline = attempt.timeline();
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
    Ok(Report::new(text, json, Exit::Done))
}

async fn list(
    attempts: &aws::Attempts,
    status: Option<StatusArg>,
    Span(span): Span,
    max: usize,
    now: Timestamp,
) -> Result<Report, Error> {
    let statuses = status.map_or(ALL.to_vec(), |status| vec![status.into()]);
    let since = now.minus(span);
    let found = attempts.since(since, &statuses, false, &mut Progress::of("attempts looked at")).await?;
    let shown = &found[..found.len().min(max)];
    let mut table = Table::with_head(["ATTEMPT", "CHAT", "STATUS", "REASON", "RECEIVES", "AGE", "TOLD"]);
    for attempt in shown {
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
    let left = found.len() - shown.len();
    let mut text = format!("{}\n{} in the last {}", table.text(), count(found.len(), "attempt"), a_while(span));
    if left > 0 {
        let _ = write!(text, ", of which {left} are not shown (--max)");
    }
    text.push_str(".\n");
    let json = json!({
        "attempts": shown.iter().map(Attempt::summary).collect::<Vec<_>>(),
        "found": found.len(),
        "since": since.rfc3339(),
    });
    Ok(Report::new(text, json, if found.is_empty() { Exit::NothingMatched } else { Exit::Done }))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn attempt(changes: &Value) -> Attempt {
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
        serde_json::from_value(item).unwrap()
    }

    #[test]
    fn a_timeline_is_in_the_order_of_the_events() {
        let attempt = attempt(&json!({"notified_at": 1_790_000_003_000_u64, "messaged_at": 1_790_000_002_000_u64}));
        let steps: Vec<_> = attempt.timeline().into_iter().map(|(_, what)| what).collect();
        assert_eq!(steps, ["the callback came", "connected", "the person was sent the message", "everybody knows"]);
    }

    #[test]
    fn a_failure_says_why_in_our_word_and_in_salesforces() {
        let failed = json!({"status": "failed", "reason": "denied", "salesforce_error": "access_denied"});
        assert_eq!(attempt(&failed).timeline()[1].1, "failed: denied (Salesforce: access_denied)");
    }

    #[test]
    fn a_list_shows_no_phone_number() {
        assert!(!attempt(&json!({})).summary().to_string().contains("1555123"));
    }

    #[test]
    fn an_attempt_is_stuck_when_its_lease_has_run_out() {
        let now = Timestamp::from_millis(1_790_000_060_000);
        let held = |until: u64| attempt(&json!({"status": "exchanging", "lease_until": until})).is_stuck(now);
        assert!(held(1_790_000_059_999));
        assert!(!held(1_790_000_060_000));
        assert!(!attempt(&json!({"lease_until": 0})).is_stuck(now));
    }
}
