//! The promises about connections that live on: each is kept, or ends for a reason that is true and told; a refresh token is used
//! once; and no token is where somebody could read it.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::{
    Evidence, Excuse, Person, Promise, Span,
    chat::{Chat, Event, code_sha256, number, status},
    promises::unreached,
};
use crate::Journal;

/// How a token of Salesforce's begins, or what it has in it: a refresh token, an opaque access token, a JWT.
const TOKENS: [&str; 3] = ["5Aep861", "!AQ", "eyJhbGciOi"];
/// How long the successor of a dead token is waited for, in milliseconds.
const LOST_AFTER_MS: u64 = 20 * 60_000;
/// How a sealed text begins.
const SEALED: &str = "sealed:v1:";

/// What a bot that asked for a chat's token was answered, when everything had settled.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The chat.
    pub chat: String,
    /// The status of the answer.
    pub status: u16,
    /// Whether Salesforce's API took the token.
    pub works: bool,
}

/// What ended somebody's connection on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// The reason that is told: `disconnected`, `expired` or `user_inactive`.
    pub reason: &'static str,
    /// When it was done.
    pub span: Span,
}

/// A text that others may read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where it was found.
    pub place: &'static str,
    /// A log line, or the body of a message.
    pub text: String,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody wanted it.
    Planned,
    /// The process that had the new refresh token died, or stopped waiting, before it could seal it: the one case in which a
    /// connection is lost, which `docs/decisions/0013` names.
    TokenLost,
}

/// How promises about this chat's connections were broken.
pub(super) fn findings(chat: &Chat<'_>) -> Vec<(Promise, String)> {
    let mut found = Vec::new();
    for end in &chat.ends {
        let reason = reason(end);
        if cause(chat, end).is_none() {
            found.push((Promise::Kept, format!("ended: {reason}, and nobody wanted it")));
        }
        found.extend(untold(chat, end).map(|what| (Promise::EndsTold, format!("ended: {reason}, {what}"))));
    }
    found.extend(not_kept(chat).map(|what| (Promise::Kept, what)));
    found.extend(silent(chat).map(|what| (Promise::EndsTold, what)));
    found.extend(reused(chat).map(|what| (Promise::UsedOnce, what)));
    let is_plain = chat.live_row().is_some_and(|row| row["sealed"]["BOOL"] == false);
    found.extend(is_plain.then(|| (Promise::Hidden, "a refresh token that is not sealed".to_owned())));
    found
}

/// What stands in a place where it could be read, or was left on a queue.
pub(super) fn seen(evidence: &Evidence) -> Vec<(Promise, String)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let letters = evidence.dead_letters.iter().chain(&evidence.untold).map(|text| ("the dead letters", text));
    let queued = evidence.upkeep.iter().map(|text| ("the upkeep queues", text));
    let others = evidence.seen.iter().map(|seen| (seen.place, &seen.text));
    for (place, text) in letters.chain(queued).chain(others) {
        let is_token = TOKENS.iter().any(|token| text.contains(token));
        let what = if is_token { "a token" } else { "a sealed text" };
        if is_token || text.contains(SEALED) {
            *counts.entry((what, place)).or_default() += 1;
        }
    }
    let hidden = counts.into_iter().map(|((what, place), count)| format!("{what} in {place}, {count} times"));
    let mut found: Vec<_> = hidden.map(|what| (Promise::Hidden, what)).collect();
    let left = evidence.upkeep.len();
    found.extend((left > 0).then(|| (Promise::RightDeadLetters, format!("{left} left on the upkeep queues"))));
    found
}

pub(super) fn reason(end: &Value) -> &str {
    end["reason"]["S"].as_str().unwrap_or("nothing")
}

/// Why a connection truly ended; `None` where nothing explains the reason that is told.
pub(super) fn cause(chat: &Chat<'_>, end: &Value) -> Option<Cause> {
    let at = number(end, "updated_at")?;
    let reason = reason(end);
    let mut planned = chat.person.ends.iter().filter(|planned| planned.reason == reason && planned.span.from <= at);
    match reason {
        "disconnected" => planned.any(|planned| at <= planned.span.to).then_some(Cause::Planned),
        "expired" => {
            let is_planned = planned.next().is_some();
            let mut grants = chat.grants_of_end(end);
            if is_planned && grants.clone().any(|grant| grant["ended"] == "administrator") {
                return Some(Cause::Planned);
            }
            // An administrator may have come later.
            let is_left = |grant: &Value| grant["ended"].is_null() || grant["ended"] == "administrator";
            let is_lost = |grant: &Value| chat.is_newest_lost(grant) && (is_left(grant) || is_of_no_use(chat, grant));
            grants.any(is_lost).then_some(Cause::TokenLost)
        }
        reason => {
            let is_faulty = chat.person.excuses.reasons.contains(reason);
            (planned.next().is_some() || is_faulty).then_some(Cause::Planned)
        }
    }
}

/// How a connection that stands is none, or the other way round, for who asks for its token.
fn not_kept(chat: &Chat<'_>) -> Option<String> {
    let Some(asked) = chat.asked else { return Some("nobody has asked for the token".to_owned()) };
    let is_ended = chat.row.is_some_and(|row| row.get("ended_at").is_some());
    match (chat.live_row().is_some(), asked.status) {
        (true, 200) if asked.works => None,
        (true, 200) => Some("connected, and the token is dead".to_owned()),
        (true, status) => Some(format!("connected, and answered {status}")),
        (false, 409) if is_ended => None,
        // A row that another has written may look like a connection.
        (false, 404 | 409) if !is_ended => None,
        (false, status) => Some(format!("not connected, and answered {status}")),
    }
}

/// Why nobody can have heard of an end, because it is recorded nowhere.
fn silent(chat: &Chat<'_>) -> Option<String> {
    let told_of_none = chat
        .events
        .iter()
        .find(|event| event.is_of_an_end() && !chat.ends.iter().any(|end| event.id.starts_with(&prefix(end))));
    if let Some(event) = told_of_none {
        return Some(format!("{} without a record", event.kind));
    }
    let row = chat.row.filter(|row| row.get("ended_at").is_some())?;
    let Some(id) = row["end_id"]["S"].as_str() else {
        // An operator's tools of an earlier version write no record.
        return chat.person.revoked.is_none().then(|| "ended without a record".to_owned());
    };
    let is_recorded = chat.ends.iter().any(|end| end["attempt_id"]["S"] == *id);
    (!is_recorded).then(|| "the record of the end is missing".to_owned())
}

fn prefix(end: &Value) -> String {
    format!("evt_{}_{}_", end["attempt_id"]["S"].as_str().unwrap_or_default(), status(end))
}

/// What is wrong with how an end was told.
fn untold(chat: &Chat<'_>, end: &Value) -> Option<String> {
    let prefix = prefix(end);
    let events: Vec<_> = chat.events.iter().filter(|event| event.id.starts_with(&prefix)).collect();
    let [event] = events[..] else { return Some(format!("and the bot was told {} times", events.len())) };
    if !chat.is_on_bus(event) {
        return Some("and the bus was not given the event".to_owned());
    }
    if event.at != number(end, "updated_at").unwrap_or_default() {
        return Some("and the bot was told of another time".to_owned());
    }
    let kind =
        if matches!(reason(end), "revoked" | "disconnected") { "connection.revoked" } else { "connection.expired" };
    if (&*event.kind, &*event.reason) != (kind, reason(end)) {
        return Some(format!("and told as {} {}", event.kind, event.reason));
    }
    if end.get("notified_at").is_none() {
        return Some("and not marked as told".to_owned());
    }
    unreached(chat, end, event, end.get("replaced_at").is_some())
}

/// How often a refresh token was presented that had been replaced.
///
/// A token whose successor was lost, and cannot come any more, is presented once more where Salesforce's word that it is dead
/// cannot be believed: the connection is lost already, and nobody has a token that this could revoke
/// (`docs/decisions/0013`).
fn reused(chat: &Chat<'_>) -> Option<String> {
    let reused = reuses(chat).filter(|reuse| !chat.families.is_over(reuse)).count();
    let revoked = chat.grants.iter().filter(|grant| grant["ended"] == "reuse" && !is_of_no_use(chat, grant)).count();
    (reused + revoked > 0).then(|| format!("{reused} used refresh tokens presented, {revoked} families revoked"))
}

/// How many families were revoked that nobody had a token of any more.
pub(super) fn revoked_in_vain(chat: &Chat<'_>) -> usize {
    chat.grants.iter().filter(|grant| grant["ended"] == "reuse" && is_of_no_use(chat, grant)).count()
}

/// Whether the family of a grant was revoked when nobody had a token of it any more.
fn is_of_no_use(chat: &Chat<'_>, grant: &Value) -> bool {
    let of_grant = |reuse: &&Value| chat.families.code_of(reuse) == grant["code_sha256"].as_str();
    let mut reuses = reuses(chat).filter(of_grant).peekable();
    grant["ended"] == "reuse" && reuses.peek().is_some() && reuses.all(|reuse| chat.families.is_over(reuse))
}

fn reuses<'b>(chat: &'b Chat<'_>) -> impl Iterator<Item = &'b Value> {
    let refreshes = chat.journal.records("salesforce.refresh").iter();
    refreshes.filter(|record| matches!(record["verdict"].as_str(), Some("reused" | "family_revoked")))
}

/// What became of a chat's refresh tokens, by the codes that they came of.
#[derive(Debug, Default)]
pub(super) struct Families {
    /// By the hash of a refresh token.
    codes: HashMap<String, String>,
    /// The last rotation, by the code.
    last: HashMap<String, Rotation>,
    /// From when on no successor can come any more, whenever it was lost: the rows' clock was turned.
    turned_at: Option<u64>,
    /// Whether a token may be lost though its answer arrived.
    is_at_risk: bool,
}

#[derive(Clone, Copy, Debug)]
struct Rotation {
    at: u64,
    /// Whether its answer was lost.
    is_lost: bool,
}

impl Families {
    pub(super) fn of(person: &Person, journal: &Journal, turned_at: Option<u64>) -> Self {
        let hash = |value: &Value| value.as_str().map(str::to_owned);
        let mut this = Self { turned_at, is_at_risk: person.may(Excuse::RefreshLost), ..Self::default() };
        for record in journal.records("salesforce.token") {
            let (asked, answered) = (&record["asked"]["body"], &record["answered"]["body"]);
            this.codes.extend(hash(&answered["refresh_token_sha256"]).zip(hash(&asked["code_sha256"])));
        }
        let refreshes = journal.records("salesforce.refresh");
        for record in refreshes.iter().filter(|record| record["verdict"] == "rotated") {
            let Some(code) = this.code_of(record).map(str::to_owned) else { continue };
            let new = hash(&record["answered"]["body"]["refresh_token_sha256"]);
            let is_lost = new.is_none() || is_slower_than_a_refresh(record, refreshes);
            this.last.insert(code.clone(), Rotation { at: asked_at(record), is_lost });
            this.codes.extend(new.map(|new| (new, code)));
        }
        this
    }

    /// The code that the refresh token of a request came of.
    fn code_of(&self, record: &Value) -> Option<&str> {
        self.codes.get(record["asked"]["body"]["refresh_token_sha256"].as_str()?).map(String::as_str)
    }

    /// Whether this request came when the newest token of its family had been lost for good.
    fn is_over(&self, record: &Value) -> bool {
        let last = self.code_of(record).and_then(|code| self.last.get(code));
        let is_later = |last: &Rotation| asked_at(record).saturating_sub(last.at) >= LOST_AFTER_MS;
        let is_turned = self.turned_at.is_some_and(|turned_at| asked_at(record) >= turned_at);
        last.is_some_and(|last| (last.is_lost || self.is_at_risk) && (is_turned || is_later(last)))
    }
}

fn asked_at(record: &Value) -> u64 {
    record["asked"]["at_ms"].as_u64().unwrap_or_default()
}

/// Whether nobody has waited for this answer: the lease but for its last five seconds or, where another request came shortly
/// before and used some of that, two seconds.
fn is_slower_than_a_refresh(record: &Value, refreshes: &[Value]) -> bool {
    let at = asked_at(record);
    let is_shortly_before = |other: &Value| (at.saturating_sub(30_000)..at).contains(&asked_at(other));
    let time = if refreshes.iter().any(is_shortly_before) { 1_900 } else { 14_900 };
    record["at_ms"].as_u64().unwrap_or_default().saturating_sub(at) > time
}

impl<'a> Chat<'a> {
    /// What Salesforce granted of the connection that ended: by its login, where the record names it.
    fn grants_of_end<'b>(&'b self, end: &'b Value) -> impl Iterator<Item = &'a Value> + Clone + 'b {
        let connected_by = end["connected_by"]["S"].as_str();
        let item = self.attempts.iter().copied().find(move |item| item["attempt_id"]["S"].as_str() == connected_by);
        let code = item.and_then(code_sha256);
        self.grants
            .iter()
            .copied()
            .filter(move |grant| connected_by.is_none() || code.as_deref() == grant["code_sha256"].as_str())
    }

    /// Whether nobody but Salesforce knows the newest refresh token of this grant.
    pub(super) fn is_newest_lost(&self, grant: &Value) -> bool {
        let last = grant["code_sha256"].as_str().and_then(|code| self.families.last.get(code));
        last.is_some_and(|last| last.is_lost || self.families.is_at_risk)
    }

    /// Whether the connection of this grant has ended, and Salesforce had a reason for which tokens need not be revoked.
    pub(super) fn is_shut_out(&self, grant: &Value) -> bool {
        let is_shut_out = |end: &&&Value| matches!(reason(end), "user_inactive" | "org_inactive" | "app_blocked");
        let mut ends = self.ends.iter().filter(is_shut_out);
        ends.any(|end| self.grants_of_end(end).any(|of_end| of_end["code_sha256"] == grant["code_sha256"]))
    }
}

impl Event {
    pub(super) fn is_of_an_end(&self) -> bool {
        matches!(&*self.kind, "connection.expired" | "connection.revoked")
    }
}
