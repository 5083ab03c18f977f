//! How each attempt ended, seen from outside: no consent is lost, and nobody is notified twice.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::plan::Person;
use system::{Cloud, Journal, consent::CONNECTED};

/// The attempt table's items, by chat.
pub(crate) struct Attempts(HashMap<String, Vec<Value>>);

impl Attempts {
    pub(crate) async fn read(cloud: &Cloud) -> Self {
        Self(by_chat(cloud, cloud.stack("main").output("AttemptTableName")).await)
    }

    fn of(&self, chat: &str) -> &[Value] {
        self.0.get(chat).map_or(&[], Vec::as_slice)
    }

    /// How many people have not been notified of an outcome yet; how many of those have been notified of a delay.
    pub(crate) fn unfinished(&self, people: &[Person]) -> (usize, usize) {
        let (mut open, mut delayed) = (0, 0);
        for person in people {
            let attempts = self.of(&person.chat);
            let notified = |attempt: &&Value| attempt.get("notified_at").is_some();
            if attempts.iter().filter(notified).any(|attempt| attempt["status"]["S"] == "delayed") {
                delayed += 1;
            } else if attempts.is_empty()
                || !attempts.iter().all(|attempt| notified(&attempt) && status(attempt) != "exchanging")
            {
                open += 1;
            }
        }
        (open, delayed)
    }
}

fn status(attempt: &Value) -> &str {
    attempt["status"]["S"].as_str().unwrap_or("without a status")
}

async fn by_chat(cloud: &Cloud, table: &str) -> HashMap<String, Vec<Value>> {
    let mut found: HashMap<String, Vec<Value>> = HashMap::new();
    let mut query = json!({"TableName": table, "ConsistentRead": true});
    loop {
        let page = cloud.aws("dynamodb", "DynamoDB_20120810.Scan", query.clone()).await;
        for item in page["Items"].as_array().into_iter().flatten() {
            found.entry(item["wa_id"]["S"].as_str().unwrap_or_default().to_owned()).or_default().push(item.clone());
        }
        match page.get("LastEvaluatedKey") {
            Some(key) => query["ExclusiveStartKey"] = key.clone(),
            None => return found,
        }
    }
}

/// The findings.
pub(crate) struct Audit {
    /// For each fault, how its people's attempts ended.
    table: BTreeMap<&'static str, BTreeMap<String, usize>>,
    endings: BTreeMap<String, usize>,
    people: usize,
    lost: Vec<String>,
    twice: Vec<String>,
    /// Messages that were repeated where that cannot be avoided.
    unavoidable: usize,
    resent: Vec<String>,
    wrong_tokens: Vec<String>,
    events: Vec<String>,
    unreadable: (u64, u64),
}

impl Audit {
    pub(crate) async fn make(cloud: &Cloud, people: &[Person], unreadable: u64) -> Self {
        let attempts = Attempts::read(cloud).await;
        let tokens = by_chat(cloud, cloud.stack("main").output("TokenTableName")).await;
        let mut this = Self {
            table: BTreeMap::new(),
            endings: BTreeMap::new(),
            people: people.len(),
            lost: Vec::new(),
            twice: Vec::new(),
            unavoidable: 0,
            resent: Vec::new(),
            wrong_tokens: Vec::new(),
            events: Vec::new(),
            unreadable: (cloud.dead_letters(cloud.stack("main")).await, unreadable),
        };
        for (index, person) in people.iter().enumerate() {
            let journal = cloud.journal(&person.chat).await;
            // A number, not the chat, because a report may be stored.
            let who = || {
                let faults: Vec<_> = person.faults.iter().map(|fault| fault.name).collect();
                format!("person {index} ({})", faults.join(", "))
            };
            let attempts = attempts.of(&person.chat);
            let ending = ending(attempts);
            for name in names(person) {
                *this.table.entry(name).or_default().entry(ending.clone()).or_default() += 1;
            }
            if !is_notified(attempts, &journal) {
                this.lost.push(format!("{}: {ending}", who()));
            }
            let repeated = repeated(&journal);
            if repeated > unavoidable_repeats(person, &journal) {
                this.twice.push(format!("{}: {repeated} repeated", who()));
            }
            this.unavoidable += repeated.min(unavoidable_repeats(person, &journal));
            if was_sent_after_an_answer(&journal) && !may_send_again(person) {
                this.resent.push(who());
            }
            if let Some(wrong) = wrong_tokens(&ending, tokens.get(&person.chat), &journal) {
                this.wrong_tokens.push(format!("{}: {wrong}", who()));
            }
            if let Some(wrong) = wrong_events(attempts, &journal) {
                this.events.push(format!("{}: {wrong}", who()));
            }
            *this.endings.entry(ending).or_default() += 1;
        }
        this
    }

    pub(crate) fn is_good(&self) -> bool {
        [&self.lost, &self.twice, &self.resent, &self.wrong_tokens, &self.events].iter().all(|wrong| wrong.is_empty())
            && self.unreadable.0 == self.unreadable.1
    }
}

fn names(person: &Person) -> Vec<&'static str> {
    let mut names: Vec<_> = person.faults.iter().map(|fault| fault.name).collect();
    names.extend(person.denies.then_some("(denied)"));
    names.extend((person.callbacks > 1).then_some("(several callbacks)"));
    names.extend(person.duplicate.then_some("(delivered twice)"));
    if names.is_empty() {
        names.push("(nothing)");
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn ending(attempts: &[Value]) -> String {
    match attempts {
        [] => "nothing".to_owned(),
        [attempt] => match attempt["reason"]["S"].as_str() {
            Some(reason) => format!("{} {reason}", status(attempt)),
            None => status(attempt).to_owned(),
        },
        _ => "several attempts".to_owned(),
    }
}

/// Whether it has an outcome, and the person knows it or the bot knows that they cannot be notified.
fn is_notified(attempts: &[Value], journal: &Journal) -> bool {
    let [attempt] = attempts else { return false };
    let over = matches!(status(attempt), "connected" | "failed") && attempt.get("notified_at").is_some();
    let event =
        journal.events().into_iter().rev().find(|event| event["data"]["attempt_id"] == attempt["attempt_id"]["S"]);
    let Some(event) = event.filter(|_| over) else { return false };
    let words = event["data"]["user_message"].as_str().map_or(CONNECTED, first_line);
    let reached = journal.sent().into_iter().any(|message| first_line(message) == words);
    let linked = event["data"]["next"] == "contact_admin"
        || status(attempt) == "connected"
        || event["data"]["relink_url"].as_str().is_some_and(|url| url.contains("/connect/"));
    linked && (reached || attempt.get("message_error").is_some() && event["data"]["message"] == "undeliverable")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// How many messages repeated an earlier one.
fn repeated(journal: &Journal) -> usize {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for message in journal.sent() {
        *counts.entry(first_line(message)).or_default() += 1;
    }
    counts.values().map(|count| count - 1).sum()
}

/// How many repetitions cannot be avoided: each send whose response was lost, each mark of a send that
/// could not be written, and each delay that was reported again after a redrive.
fn unavoidable_repeats(person: &Person, journal: &Journal) -> usize {
    let lost = journal.faults("twilio.messages").iter().filter(|fault| fault.ends_with("_after")).count();
    let unmarked =
        person.faults.iter().filter(|fault| fault.name.starts_with("record") || fault.name.contains("claim"));
    let bot_killed = person.faults.iter().filter(|fault| fault.name == "killed after the event");
    lost + unmarked.count() * 2 + bot_killed.count()
}

/// Whether a code was sent again after Salesforce's response had accepted it or finally refused it.
fn was_sent_after_an_answer(journal: &Journal) -> bool {
    let mut answered = false;
    for record in journal.records("salesforce.token") {
        if answered {
            return true;
        }
        let (status, error) = (&record["answered"]["status"], record["answered"]["body"]["error"].as_str());
        let final_refusal = matches!(error, Some("invalid_grant" | "inactive_user" | "inactive_org"));
        answered = *status == 200 && record["answered"]["body"]["access_token_sha256"].is_string() || final_refusal;
    }
    false
}

/// An exchanger that was killed with the response, or could not store it, does not know of it; nor does
/// one that stopped waiting.
fn may_send_again(person: &Person) -> bool {
    let excuse = ["killed", "record", "tokens", "slower than we wait", "visibility", "verifier"];
    person.faults.iter().any(|fault| excuse.iter().any(|word| fault.name.contains(word)))
}

/// Whether the tokens in the table are the last that Salesforce issued, and exist only where it is connected.
fn wrong_tokens(ending: &str, stored: Option<&Vec<Value>>, journal: &Journal) -> Option<String> {
    let granted: Vec<_> = journal
        .records("salesforce.token")
        .iter()
        .filter_map(|record| record["answered"]["body"]["access_token_sha256"].as_str())
        .collect();
    match (ending, stored.map(Vec::as_slice)) {
        ("connected", Some([item])) => {
            let token = item["access_token"]["S"].as_str().unwrap_or_default();
            (granted.last() != Some(&&*hex(digest(&SHA256, token.as_bytes()).as_ref())))
                .then(|| "other tokens than Salesforce gave".to_owned())
        }
        ("connected", _) => Some("connected without tokens".to_owned()),
        (_, None | Some([])) => None,
        (other, Some(_)) => Some(format!("{other}, with tokens")),
    }
}

/// Whether the bot has been notified of the outcome once.
fn wrong_events(attempts: &[Value], journal: &Journal) -> Option<String> {
    let [attempt] = attempts else { return Some("not one attempt".to_owned()) };
    let mut kinds: HashMap<&str, &str> = HashMap::new();
    for event in journal.events() {
        kinds.insert(event["id"].as_str()?, event["type"].as_str()?);
    }
    let count = |kind: &str| kinds.values().filter(|found| **found == kind).count();
    let expected = match status(attempt) {
        "connected" => "connection.created",
        _ => "connection.failed",
    };
    // If the person turns out to be unreachable, the bot gets a second event.
    let most = 1 + usize::from(attempt.get("message_error").is_some());
    (!(1..=most).contains(&count(expected))).then(|| format!("{} {expected} events", count(expected)))
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<40}  ended", "fault")?;
        for (name, endings) in &self.table {
            let endings: Vec<_> = endings.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
            writeln!(f, "{name:<40}  {}", endings.join(", "))?;
        }
        let endings: Vec<_> = self.endings.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
        writeln!(f, "\n{:<40}  {}", format!("all {}", self.people), endings.join(", "))?;
        for (what, wrong) in [
            ("consents lost", &self.lost),
            ("notified twice", &self.twice),
            ("codes sent again after a final answer", &self.resent),
            ("wrong tokens", &self.wrong_tokens),
            ("wrong events", &self.events),
        ] {
            writeln!(f, "{what:<40}  {}", wrong.len())?;
            for line in wrong {
                writeln!(f, "    {line}")?;
            }
        }
        writeln!(f, "{:<40}  {}", "notified twice, unavoidably", self.unavoidable)?;
        let (found, sent) = self.unreadable;
        write!(f, "{:<40}  {found} of {sent}", "unreadable messages in the dead letters")
    }
}
