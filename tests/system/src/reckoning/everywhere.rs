//! The promises to everybody: those who did nothing, those whom nobody knows, and the limits of each attempt.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Bystander, Evidence, Person, Promise, custody};

/// How many codes of an attempt are tried at most.
const CODES: usize = 3;
/// How often a code is sent at most.
const REQUESTS: usize = 20;

/// How promises were broken to people who are not in the soak, or by attempts that nobody has.
pub(super) fn findings(
    people: &[Person],
    bystanders: &[Bystander],
    unprocessable: &[String],
    evidence: &Evidence,
) -> Vec<(Promise, String)> {
    let mut found = strangers(people, bystanders, evidence);
    found.extend(bystanders.iter().enumerate().filter_map(|(place, bystander)| {
        let row = evidence.rows.iter().find(|row| row["wa_id"]["S"] == *bystander.chat);
        let is_changed = row != bystander.row.as_ref();
        is_changed.then(|| (Promise::OwnChat, format!("bystander {place}: another row than before")))
    }));
    found.extend(too_many_codes(evidence));
    found.extend(custody::seen(evidence));
    found.extend(wrong_dead_letters(unprocessable, &evidence.dead_letters));
    let untold = evidence.untold.iter();
    found.extend(untold.map(|_| (Promise::RightDeadLetters, "an outcome that was given up untold".to_owned())));
    found
}

/// What there is of chats that are not of these people.
fn strangers(people: &[Person], bystanders: &[Bystander], evidence: &Evidence) -> Vec<(Promise, String)> {
    let known: BTreeSet<&str> = people.iter().map(|person| &*person.chat).collect();
    let untouched: BTreeSet<&str> = bystanders.iter().map(|bystander| &*bystander.chat).collect();
    let chats = |items: &'_ [Value]| -> Vec<String> {
        items.iter().filter_map(|item| item["wa_id"]["S"].as_str().map(str::to_owned)).collect()
    };
    let told = |endpoint: &str| -> Vec<String> {
        let records = evidence.journal[endpoint]["records"].as_array().into_iter().flatten();
        records.filter_map(|record| record["wa_id"].as_str().map(str::to_owned)).collect()
    };
    let subject = |event: &Value| event["detail"]["subject"].as_str().map(str::to_owned);
    let mut found = Vec::new();
    for (what, chats, of_bystanders) in [
        ("an attempt", chats(&evidence.attempts), false),
        ("a row", chats(&evidence.rows), true),
        ("a message", told("twilio.messages"), false),
        ("an event", told("bot.events"), false),
        ("an event on the bus", evidence.bus.iter().filter_map(subject).collect(), false),
    ] {
        let is_expected = |chat: &&String| known.contains(&***chat) || of_bystanders && untouched.contains(&***chat);
        let wrong: BTreeSet<_> = chats.iter().filter(|chat| !is_expected(chat)).collect();
        found.extend(wrong.into_iter().map(|chat| {
            let who = if untouched.contains(&**chat) { "a bystander" } else { "nobody" };
            (Promise::OwnChat, format!("{what} of {who}"))
        }));
    }
    found
}

/// Attempts of which more codes were sent to Salesforce than may be, and codes that were sent too often. A verifier
/// belongs to one attempt.
fn too_many_codes(evidence: &Evidence) -> Vec<(Promise, String)> {
    let mut attempts: HashMap<&str, HashMap<&str, usize>> = HashMap::new();
    for record in evidence.journal["salesforce.token"]["records"].as_array().into_iter().flatten() {
        let body = &record["asked"]["body"];
        if let (Some(verifier), Some(code)) = (body["code_verifier_sha256"].as_str(), body["code_sha256"].as_str()) {
            *attempts.entry(verifier).or_default().entry(code).or_default() += 1;
        }
    }
    let what = |codes: &HashMap<&str, usize>| {
        let most = codes.values().copied().max().unwrap_or_default();
        let what = if codes.len() > CODES {
            format!("{} codes", codes.len())
        } else if most > REQUESTS {
            format!("{most} requests with one code")
        } else {
            return None;
        };
        Some((Promise::FewCodes, what))
    };
    attempts.values().filter_map(what).collect()
}

/// Bodies that should be dead letters and are not, or the other way round.
fn wrong_dead_letters(expected: &[String], found: &[String]) -> Vec<(Promise, String)> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    let bodies = expected.iter().map(|body| (body, 1)).chain(found.iter().map(|body| (body, -1)));
    for (body, count) in bodies {
        *counts.entry(body).or_default() += count;
    }
    let wrong = counts.values().filter(|count| **count != 0);
    wrong
        .map(|count| if *count > 0 { "a message is no dead letter" } else { "an unexpected dead letter" })
        .map(|what| (Promise::RightDeadLetters, what.to_owned()))
        .collect()
}
