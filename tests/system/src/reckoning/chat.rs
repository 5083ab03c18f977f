//! What can be seen of one chat.

use std::collections::{BTreeMap, HashMap};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::{Asked, Evidence, Excuse, Login, Person, Span, custody::Families};
use crate::{Journal, consent::CONNECTED, journal::first_sentence};

/// One chat: who it is, and what can be seen of it.
pub(super) struct Chat<'a> {
    pub(super) person: &'a Person,
    /// The attempts, without the records of ends.
    pub(super) attempts: Vec<&'a Value>,
    /// The records of connections that have ended.
    pub(super) ends: Vec<&'a Value>,
    pub(super) row: Option<&'a Value>,
    pub(super) grants: Vec<&'a Value>,
    pub(super) journal: Journal,
    pub(super) events: Vec<Event>,
    /// The ids of the events that the bus was given, and how often.
    on_bus: BTreeMap<String, usize>,
    pub(super) asked: Option<&'a Asked>,
    pub(super) families: Families,
}

/// An event that the bot received, once for each id.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Without what is added where more is learned of the message.
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) attempt: String,
    /// When the outcome was written.
    pub(super) at: u64,
    pub(super) message: String,
    pub(super) next: String,
    pub(super) reason: String,
    pub(super) text: String,
    pub(super) relink_url: Option<String>,
}

impl<'a> Chat<'a> {
    pub(super) fn new(person: &'a Person, evidence: &'a Evidence, journal: Journal) -> Self {
        let of_chat = |item: &&Value| item["wa_id"]["S"] == *person.chat;
        let events = events(&journal);
        let mut on_bus = BTreeMap::new();
        let details = evidence.bus.iter().map(|event| &event["detail"]);
        for id in details.filter(|event| event["subject"] == *person.chat).filter_map(|event| event["id"].as_str()) {
            *on_bus.entry(id.to_owned()).or_default() += 1;
        }
        let items = evidence.attempts.iter().filter(of_chat);
        let (ends, attempts) = items.partition(|item| status(item) == "ended");
        Self {
            person,
            attempts,
            ends,
            row: evidence.rows.iter().find(of_chat),
            grants: evidence.grants.iter().filter(|grant| grant["wa_id"] == *person.chat).collect(),
            families: Families::of(person, &journal, evidence.turned_at),
            journal,
            events,
            on_bus,
            asked: evidence.asked.iter().find(|asked| asked.chat == person.chat),
        }
    }

    pub(super) fn attempt(&self, login: &Login) -> Option<&'a Value> {
        self.attempts.iter().copied().find(|item| item["attempt_id"]["S"] == *login.attempt)
    }

    pub(super) fn reason(&self, login: &Login) -> Option<&'a str> {
        self.attempt(login)?["reason"]["S"].as_str()
    }

    /// The logins that ended connected.
    pub(super) fn connected(&self) -> impl Iterator<Item = (&'a Login, &'a Value)> {
        let logins = self.person.logins.iter().filter_map(|login| Some((login, self.attempt(login)?)));
        logins.filter(|(_, item)| status(item) == "connected")
    }

    /// The row, while it is a connection.
    pub(super) fn live_row(&self) -> Option<&'a Value> {
        self.row.filter(|row| row.get("ended_at").is_none() && row.get("refresh_token").is_some())
    }

    /// What Salesforce granted with the row's token.
    pub(super) fn grant_of_row(&self, evidence: &'a [&'a Value]) -> Option<&'a Value> {
        let stored = refresh_sha256(self.row?)?;
        evidence.iter().copied().find(|grant| grant["refresh_token_sha256"] == *stored)
    }

    /// The login that the row is of.
    pub(super) fn login_of_row(&self) -> Option<&'a Login> {
        let row = self.live_row()?;
        let of_attempt = |login: &&Login| row["attempt_id"]["S"] == *login.attempt;
        // A bot that wrote the row anew has left the attempt out.
        let of_token = |login: &&Login| {
            let code = self.attempt(login).and_then(code_sha256);
            self.grant_of_row(&self.grants).is_some_and(|grant| code.is_some_and(|code| grant["code_sha256"] == *code))
        };
        let logins = &self.person.logins;
        logins.iter().find(of_attempt).or_else(|| logins.iter().find(of_token))
    }

    /// The grants that are alive and not in the row.
    pub(super) fn orphans(&self) -> impl Iterator<Item = &'a Value> {
        let stored = self.row.and_then(refresh_sha256);
        let grants = self.grants.iter().copied().filter(|grant| grant["alive"] == true);
        grants.filter(move |grant| stored.as_deref() != grant["refresh_token_sha256"].as_str())
    }

    /// Whether nobody but Salesforce knows this grant's tokens, their answer was lost, or who had it; or they open nothing.
    pub(super) fn is_excused(&self, grant: &Value) -> bool {
        if self.is_newest_lost(grant) || self.is_shut_out(grant) {
            return true;
        }
        let is_of_grant = |record: &&Value| record["asked"]["body"]["code_sha256"] == grant["code_sha256"];
        let answer =
            self.journal.records("salesforce.token").iter().filter(is_of_grant).find(|record| succeeded(record));
        let is_lost = |record: &Value| record["answered"].is_null() || is_slower_than_anybody_waits(record);
        self.person.may(Excuse::TokensLost) || answer.is_none_or(is_lost)
    }

    /// The texts that the chat was sent, by their first lines, which have no link in them.
    pub(super) fn texts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for text in self.journal.sent() {
            *counts.entry(first_line(text)).or_default() += 1;
        }
        counts
    }

    /// How many outcomes are told with this text.
    pub(super) fn outcomes_with(&self, text: &str) -> usize {
        let told = self.events.iter().filter(|event| matches!(&*event.message, "sent" | "pending"));
        told.filter(|event| event.text == text).count()
    }

    /// How many messages repeated an earlier one about the same outcome. An outcome that another one overtook may have
    /// no event.
    pub(super) fn repeated(&self) -> usize {
        let counts = self.texts().into_iter();
        counts.map(|(text, count)| count.saturating_sub(self.outcomes_with(text).max(1))).sum()
    }

    /// Whether the bus was given this event too, whatever it says of the message.
    pub(super) fn is_on_bus(&self, event: &Event) -> bool {
        self.on_bus.keys().any(|id| without_learned(id) == event.id)
    }

    /// How many events the bus was given again.
    pub(super) fn repeated_on_bus(&self) -> usize {
        self.on_bus.values().map(|count| count - 1).sum()
    }

    /// How many repetitions cannot be avoided: each send whose response was lost, and what the faults excuse.
    pub(super) fn unavoidable_repeats(&self) -> usize {
        let lost = self.journal.faults("twilio.messages").iter().filter(|fault| fault.ends_with("_after")).count();
        lost + self.person.excuses.repeats
    }

    /// How many messages the provider did not answer, whether or not it took them.
    pub(super) fn unanswered_messages(&self) -> usize {
        let is_lost = |fault: &&&str| fault.starts_with("drop_") || fault.starts_with("kill_");
        self.journal.faults("twilio.messages").iter().filter(is_lost).count()
    }

    /// When the chat was sent messages about failures, without the repetitions.
    pub(super) fn failures_told_at(&self) -> Vec<u64> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let taken = self.journal.records("twilio.messages").iter().filter(|record| succeeded(record));
        // Ends are always told.
        let is_of_an_end = |text: &str| self.events.iter().any(|event| event.is_of_an_end() && event.text == text);
        let failures = taken.filter_map(|record| {
            let text = first_line(record["asked"]["body"]["Body"].as_str()?);
            let count = counts.entry(text).or_default();
            *count += 1;
            let is_new = text != CONNECTED && !is_of_an_end(text) && *count <= self.outcomes_with(text).max(1);
            is_new.then(|| record["asked"]["at_ms"].as_u64()).flatten()
        });
        failures.collect()
    }

    /// How the attempts ended, in the order of the logins.
    pub(super) fn ending(&self) -> String {
        let endings = self.person.logins.iter().map(|login| match (self.attempt(login), self.reason(login)) {
            (None, _) => "nothing".to_owned(),
            (Some(_), Some("superseded")) => "superseded".to_owned(),
            (Some(item), Some(reason)) => format!("{} {reason}", status(item)),
            (Some(item), None) => status(item).to_owned(),
        });
        let endings: Vec<_> = endings.collect();
        if endings.is_empty() { "nothing".to_owned() } else { endings.join(" + ") }
    }
}

impl Event {
    fn read(body: &Value) -> Option<Self> {
        let data = &body["data"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = body["id"].as_str()?;
        let id = without_learned(id);
        Some(Self {
            id: id.to_owned(),
            kind: text(&body["type"]),
            attempt: text(&data["attempt_id"]),
            at: id.rsplit('_').next()?.parse().ok()?,
            message: text(&data["message"]),
            next: text(&data["next"]),
            reason: text(&data["reason"]),
            text: first_line(data["user_message"].as_str().unwrap_or(CONNECTED)).to_owned(),
            relink_url: data["relink_url"].as_str().map(str::to_owned),
        })
    }

    pub(super) fn is_of_a_connection(&self) -> bool {
        matches!(&*self.kind, "connection.created" | "connection.renewed")
    }
}

/// An event's id without what is added where more is learned of the message.
fn without_learned(id: &str) -> &str {
    ["_undeliverable", "_unknown"].iter().find_map(|learned| id.strip_suffix(learned)).unwrap_or(id)
}

/// The events that arrived, each once, in the order of their first arrival and as they were sent last.
fn events(journal: &Journal) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for record in journal.records("bot.events").iter().filter(|record| succeeded(record)) {
        let Some(event) = Event::read(&record["asked"]["body"]) else { continue };
        match events.iter_mut().find(|known| known.id == event.id) {
            Some(known) => *known = event,
            None => events.push(event),
        }
    }
    events
}

/// The journal of each chat, out of the whole journal.
pub(super) fn by_chat(journal: &Value) -> HashMap<&str, Journal> {
    let mut records: HashMap<&str, Map<String, Value>> = HashMap::new();
    for (endpoint, of_endpoint) in journal.as_object().into_iter().flatten() {
        for record in of_endpoint["records"].as_array().into_iter().flatten() {
            let Some(chat) = record["wa_id"].as_str() else { continue };
            let of_chat = records.entry(chat).or_default().entry(endpoint.as_str());
            let of_chat = of_chat.or_insert_with(|| json!({"records": []}));
            of_chat["records"].as_array_mut().expect("records").push(record.clone());
        }
    }
    records.into_iter().map(|(chat, records)| (chat, Journal::from(Value::Object(records)))).collect()
}

pub(super) fn succeeded(record: &Value) -> bool {
    record["succeeded"] == true
}

/// The exchanger waits for ten seconds.
fn is_slower_than_anybody_waits(record: &Value) -> bool {
    let at = |value: &Value| value.as_u64().unwrap_or_default();
    at(&record["at_ms"]).saturating_sub(at(&record["asked"]["at_ms"])) > 9_000
}

pub(super) fn status(item: &Value) -> &str {
    item["status"]["S"].as_str().unwrap_or("without a status")
}

/// A number of an item.
pub(super) fn number(item: &Value, name: &str) -> Option<u64> {
    item[name]["N"].as_str()?.parse().ok()
}

pub(super) fn first_line(text: &str) -> &str {
    first_sentence(text.lines().next().unwrap_or_default())
}

/// The hash of an attempt's code, in hexadecimal digits as in the journal.
pub(super) fn code_sha256(item: &Value) -> Option<String> {
    Some(hex(&URL_SAFE_NO_PAD.decode(item["code_sha256"]["S"].as_str()?).ok()?))
}

pub(super) fn refresh_sha256(row: &Value) -> Option<String> {
    let token = row["refresh_token"]["S"].as_str()?;
    Some(hex(digest(&SHA256, token.as_bytes()).as_ref()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether the consent of one login had come before that of another.
pub(super) fn is_before(one: Option<Span>, other: Option<Span>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one.is_before(other))
}
