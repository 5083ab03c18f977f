//! The promises to each chat.

use std::{
    collections::{BTreeSet, HashMap},
    iter::successors,
};

use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::{
    Brought, Excuse, Login, Promise,
    chat::{Chat, Event, code_sha256, hex, is_before, number, status, succeeded},
    custody::{self, reason},
};

/// The window in which a chat hears of three failures at most.
const WINDOW_MS: u64 = 15 * 60 * 1_000;
/// How many failures a chat hears of within the window.
const FAILURES: usize = 3;
/// What is in each message of an end, but for one that comes after another connection.
const NO_LONGER: &str = "account is no longer connected";

/// How a chat's promise was broken, if it was.
type Check = fn(&Chat<'_>) -> Option<String>;

/// How promises to this chat were broken.
pub(super) fn findings(chat: &Chat<'_>) -> Vec<(Promise, String)> {
    let mut found = Vec::new();
    for (place, login) in chat.person.logins.iter().enumerate() {
        let which = |what: String| if place == 0 { what } else { format!("login {}: {what}", place + 1) };
        found.extend(lost(chat, login).map(|what| (Promise::NoneLost, which(what))));
        found.extend(unexplained(chat, login).map(|what| (Promise::Explained, which(what))));
        found.extend(wrong_events(chat, login).map(|what| (Promise::RightEvents, which(what))));
    }
    let each: [(Promise, Check); 7] = [
        (Promise::OwnChat, somebody_elses),
        (Promise::LatestRow, stale),
        (Promise::LivingRow, dead),
        (Promise::ToldTheRow, told_otherwise),
        (Promise::ToldOnce, doubled),
        (Promise::NotPestered, pestered),
        (Promise::NotResent, resent),
    ];
    found.extend(each.into_iter().filter_map(|(promise, check)| Some((promise, check(chat)?))));
    found.extend(custody::findings(chat));
    let orphans = chat.orphans().filter(|grant| !chat.is_excused(grant));
    found.extend(orphans.map(|_| (Promise::NoOrphans, format!("{}, tokens alive outside the table", chat.ending()))));
    found
}

/// Why the login has no outcome that the person and the bot know of.
fn lost(chat: &Chat<'_>, login: &Login) -> Option<String> {
    let Some(item) = chat.attempt(login) else { return Some("no attempt".to_owned()) };
    let status = status(item);
    if !matches!(status, "connected" | "failed") {
        return Some(format!("still {status}"));
    }
    if status == "connected" && login.consent().is_none() {
        return Some("connected without a consent".to_owned());
    }
    if chat.reason(login) == Some("superseded") && !has_reason_to_be_superseded(chat, login) {
        return Some("superseded by nothing".to_owned());
    }
    let id = format!("evt_{}_{status}_{}", login.attempt, number(item, "updated_at").unwrap_or_default());
    let Some(event) = chat.events.iter().find(|event| event.id == id) else {
        return Some(format!("{status}, and the bot was not told"));
    };
    if !chat.is_on_bus(event) {
        return Some(format!("{status}, and the bus was not given the event"));
    }
    if item.get("notified_at").is_none() {
        return Some(format!("{status}, and not marked as told"));
    }
    let may_be_withheld = chat.reason(login) == Some("superseded") || was_told_enough(chat, event);
    unreached(chat, item, event, may_be_withheld).map(|what| format!("{status}, {what}"))
}

/// How an outcome of which the bot was told did not reach the person, or did without a way on.
pub(super) fn unreached(chat: &Chat<'_>, item: &Value, event: &Event, may_be_withheld: bool) -> Option<String> {
    // Who has connected again before the bot was told has been sent other words, or is not told any more.
    let is_replaced = item.get("replaced_at").is_some();
    let is_sent = chat.texts().keys().any(|text| *text == event.text || is_replaced && text.contains(NO_LONGER));
    let reached = match &*event.message {
        "sent" => is_sent,
        "pending" => is_sent || is_replaced || item.get("message_error").is_some(),
        "undeliverable" => item.get("message_error").is_some(),
        // Two messages were handed over, and the provider did not say whether it took either.
        "unknown" => is_sent || chat.unanswered_messages() > 1,
        "withheld" => may_be_withheld,
        _ => false,
    };
    if !reached {
        return Some(format!("message {}, and the person was not told", event.message));
    }
    let is_linked = event.relink_url.as_ref().is_some_and(|url| url.contains("/connect/"));
    let wants_link = matches!(&*event.next, "relink" | "wait");
    (wants_link && !is_linked && !chat.person.may(Excuse::Linkless)).then(|| "without a new link".to_owned())
}

/// Whether the chat had heard of as many failures as it may by then, or could have but for its provider. The event is later than
/// the outcome.
fn was_told_enough(chat: &Chat<'_>, event: &Event) -> bool {
    let since = event.at.saturating_sub(WINDOW_MS);
    let is_tried = |other: &&Event| {
        let is_of_a_failure = !other.is_of_a_connection() && !other.is_of_an_end();
        is_of_a_failure && other.message != "withheld" && (since..event.at).contains(&other.at)
    };
    let tried = chat.events.iter().filter(is_tried).count();
    tried.max(chat.failures_told_at().into_iter().filter(|at| *at >= since).count()) >= FAILURES
}

/// Whether a later consent of the chat won, or the connection was revoked or disconnected after the login's link was made.
fn has_reason_to_be_superseded(chat: &Chat<'_>, login: &Login) -> bool {
    let span = login.span(|_| true);
    let mut winners = chat.connected().filter(|(other, _)| other.attempt != login.attempt);
    winners.any(|(other, _)| !is_before(other.consent(), span)) || is_outdated(chat, login)
}

/// Whether the chat's connection was revoked or disconnected after the login's link was made.
fn is_outdated(chat: &Chat<'_>, login: &Login) -> bool {
    chat.person.outdated().any(|span| login.linked_at <= span.to)
}

/// A failure that none of the person's faults and doings leads to.
fn unexplained(chat: &Chat<'_>, login: &Login) -> Option<String> {
    let reason = chat.reason(login)?;
    let brought = |what| login.arrivals.iter().any(|arrival| arrival.brought == what);
    let is_explained = match reason {
        "superseded" => true,
        "denied" => brought(Brought::Denial),
        "wrong_browser" => brought(Brought::Refusal),
        "outdated_link" => is_outdated(chat, login),
        // Another code may be tried once theirs has failed.
        "code_expired" | "unknown" | "wrong_login_host"
            if login.consent().is_none() || !chat.person.excuses.reasons.is_empty() =>
        {
            brought(Brought::OtherCode) || chat.person.excuses.reasons.contains(reason)
        }
        _ => chat.person.excuses.reasons.contains(reason),
    };
    (!is_explained).then(|| format!("{} {reason}", chat.attempt(login).map_or("nothing", status)))
}

/// What is wrong with the events of one login, beside the last one's absence.
fn wrong_events(chat: &Chat<'_>, login: &Login) -> Option<String> {
    let of_login = |event: &&Event| event.attempt == login.attempt && !event.is_of_an_end();
    let events: Vec<_> = chat.events.iter().filter(of_login).collect();
    if !events.is_sorted_by_key(|event| event.at) {
        return Some("events out of order".to_owned());
    }
    let connected = events.iter().filter(|event| event.is_of_a_connection()).count();
    let failed = events.iter().filter(|event| event.kind == "connection.failed").count();
    let ways = login.arrivals.iter().filter(|arrival| arrival.brought != Brought::Consent).count()
        + usize::from(login.consent().is_some());
    (connected > 1 || connected + failed > ways).then(|| format!("{connected} connected and {failed} failed"))
}

/// Whose account is in the row, or whose attempt in the table, if not this person's.
fn somebody_elses(chat: &Chat<'_>) -> Option<String> {
    let is_known = |attempt: &str| {
        let mut logins = chat.person.logins.iter();
        logins.any(|login| login.attempt == attempt || further_attempts(login).any(|further| further == attempt))
    };
    if chat.attempts.iter().any(|item| !item["attempt_id"]["S"].as_str().is_some_and(is_known)) {
        return Some("an attempt that they did not begin".to_owned());
    }
    // Whoever wrote the row anew has left the attempt out.
    let is_nobodys = |event: &Event| event.is_of_an_end() && event.attempt.is_empty() && chat.person.has_foreign_row;
    if chat.events.iter().any(|event| !is_known(&event.attempt) && !is_nobodys(event)) {
        return Some("an event of an attempt that they did not begin".to_owned());
    }
    let row = chat.live_row()?;
    let user = chat.grant_of_row(&chat.grants).map(|grant| &grant["username"]).or_else(|| row.get("username"))?;
    let user = user.as_str().or_else(|| user["S"].as_str())?;
    let is_own = chat.person.logins.iter().any(|login| login.user == user && login.consent().is_some());
    (!is_own).then(|| "somebody else's account".to_owned())
}

/// What is said about further codes of a login has an attempt of its own, one for each; their ids follow from the login's.
fn further_attempts(login: &Login) -> impl Iterator<Item = String> {
    let next = |id: &String| Some(hex(&digest(&SHA256, format!("second-approval:v1:{id}").as_bytes()).as_ref()[..16]));
    let others = login.arrivals.iter().filter(|arrival| arrival.brought == Brought::OtherCode).count();
    successors(Some(login.attempt.clone()), next).skip(1).take(others)
}

/// How the row differs from that of the latest consent.
fn stale(chat: &Chat<'_>) -> Option<String> {
    let connected: Vec<_> = chat.connected().collect();
    let revoked = chat.person.revoked;
    let Some(row) = chat.live_row() else {
        if connected.is_empty() {
            return None;
        }
        let Some(row) = chat.row else { return Some("connected, without a row".to_owned()) };
        let Some(ended_at) = number(row, "ended_at") else {
            return Some("connected, and a row without tokens".to_owned());
        };
        let is_later = |login: &Login| login.consent().is_some_and(|consent| ended_at <= consent.from);
        return connected.iter().any(|(login, _)| is_later(login)).then(|| "connected, and an ended row".to_owned());
    };
    if connected.is_empty() {
        return (!chat.person.has_foreign_row).then(|| "a row, and nothing connected".to_owned());
    }
    let Some(of_row) = chat.login_of_row() else { return Some("the row is of no login of theirs".to_owned()) };
    if !connected.iter().any(|(login, _)| login.attempt == of_row.attempt) {
        return Some("the row is of a login that is not connected".to_owned());
    }
    if revoked.is_some_and(|revoked| of_row.consent().is_some_and(|consent| consent.is_before(revoked))) {
        return Some("the row is of a revoked connection".to_owned());
    }
    let consented_at = number(row, "consented_at");
    let disconnected = chat.ends.iter().filter(|end| reason(end) == "disconnected");
    let disconnected_at = disconnected.filter_map(|end| number(end, "updated_at")).max();
    if matches!((consented_at, disconnected_at), (Some(consent), Some(end)) if consent < end) {
        return Some("the row is of a connection that was disconnected".to_owned());
    }
    // Of a consent that came several times any one may have been processed first.
    let came_once = |login: &Login| login.arrivals.len() == 1 && login.attempt != of_row.attempt;
    let is_later = |(login, item): &(&Login, &Value)| {
        is_before(of_row.consent(), login.consent())
            || came_once(login)
                && matches!((consented_at, number(item, "created_at")), (Some(ours), Some(theirs)) if theirs > ours)
    };
    if connected.iter().any(is_later) {
        return Some("the row is of an older consent".to_owned());
    }
    let codes = (
        chat.attempt(of_row).and_then(code_sha256),
        chat.grant_of_row(&chat.grants).and_then(|grant| grant["code_sha256"].as_str()),
    );
    (codes.0.as_deref() != codes.1).then(|| "the row has other tokens than its login's".to_owned())
}

/// A connection that is dead at Salesforce.
fn dead(chat: &Chat<'_>) -> Option<String> {
    chat.live_row()?;
    let grant = chat.grant_of_row(&chat.grants)?;
    (grant["alive"] != true).then(|| "the row's token is revoked".to_owned())
}

/// What was told last, where it is not what stands in the row.
fn told_otherwise(chat: &Chat<'_>) -> Option<String> {
    let told_last = chat.events.iter().filter(|event| event.is_of_a_connection()).max_by_key(|event| event.at);
    let Some(row) = chat.login_of_row() else {
        let revoked = chat.person.revoked.map_or(0, |revoked| revoked.to);
        let ended_at = chat.row.and_then(|row| number(row, "ended_at")).unwrap_or_default();
        return told_last
            .is_some_and(|event| event.at > revoked.max(ended_at))
            .then(|| "told of a connection that is none".to_owned());
    };
    if told_last.is_some_and(|event| event.attempt != row.attempt) {
        return Some("told of another connection than the row's".to_owned());
    }
    let connected_at = number(chat.attempt(row)?, "updated_at")?;
    let is_older = |event: &&Event| {
        let login = chat.person.logins.iter().find(|login| login.attempt == event.attempt);
        login.is_some_and(|login| is_before(login.span(|_| true), row.consent()))
    };
    let told = chat.events.iter().filter(|event| matches!(&*event.message, "sent" | "pending"));
    let late = told.filter(|event| !event.is_of_a_connection() && event.at > connected_at).find(is_older)?;
    (!chat.person.may(Excuse::Unchecked)).then(|| format!("connected, and then told of an older {}", late.kind))
}

fn doubled(chat: &Chat<'_>) -> Option<String> {
    let repeated = chat.repeated();
    (repeated > chat.unavoidable_repeats()).then(|| format!("{repeated} repeated"))
}

fn pestered(chat: &Chat<'_>) -> Option<String> {
    let mut told_at = chat.failures_told_at();
    told_at.sort_unstable();
    let is_too_many = told_at.windows(FAILURES + 1).any(|some| some[FAILURES] - some[0] < WINDOW_MS);
    is_too_many.then(|| format!("{} failures", told_at.len()))
}

/// A code of this chat that was sent again after Salesforce had accepted it or finally refused it.
fn resent(chat: &Chat<'_>) -> Option<String> {
    let mut answered: HashMap<&str, bool> = HashMap::new();
    let mut again = BTreeSet::new();
    for record in chat.journal.records("salesforce.token") {
        let Some(code) = record["asked"]["body"]["code_sha256"].as_str() else { continue };
        let (status, body) = (&record["answered"]["status"], &record["answered"]["body"]);
        let is_answered = answered.entry(code).or_default();
        if *is_answered {
            again.insert(code);
        }
        let is_refused = matches!(body["error"].as_str(), Some("invalid_grant" | "inactive_user" | "inactive_org"));
        *is_answered |= succeeded(record) && *status == 200 && body["access_token_sha256"].is_string() || is_refused;
    }
    (!again.is_empty() && !chat.person.may(Excuse::Resent)).then(|| format!("{} codes", again.len()))
}
