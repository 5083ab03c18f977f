//! Whether chats confirm their logins, and whether the stack and the bot are in a state to (`ChatProof`). What is found is
//! judged by pure functions.

mod bot;

use std::time::Duration;

use shared::{Reason, Status, Timestamp, attempt::Item, proof::pending::attr, timestamp::Clock};

use super::{
    finding::{self, Finding},
    tables,
    upkeep::{self, Setting},
};
use crate::{
    aws::{AttemptTable, Functions, Of, Roles, TableSettings, Tables, Wanted},
    error::Error,
    report::count,
    target::Target,
};

const CHECK: &str = "chat-proof";
/// How far back logins are looked at, and how many at most.
const LOOKED_AT: Duration = Duration::from_hours(24);
const MOST: usize = 1_000;
/// Somebody who has just come back from Salesforce is not late.
const TIME_TO_SEND: Duration = Duration::from_mins(2);
/// So many logins without a code are no accident where none was ever confirmed.
const MANY: usize = 3;
/// So many in a row are none either, where some were confirmed before them: perhaps before `ChatProof` was `Required`.
const MANY_IN_A_ROW: usize = 10;
/// Where bots find how.
const HOW: &str = "docs/API.md, \"POST /confirmations\"";

/// Everything that concerns confirmations.
pub(super) async fn check(target: &Target, clock: Clock) -> Vec<Finding> {
    let stack = &target.stack;
    let is_required = stack.parameter("ChatProof") == "Required";
    let mut findings = vec![policy(is_required)];
    let Some(table) = stack.resource("PendingTable") else {
        // A stack of an earlier version asks for no confirmation.
        findings.extend(is_required.then(no_table));
        return findings;
    };
    let found = [
        pending_table(target, table).await,
        environment(target, table).await,
        bot_policy(target, is_required).await,
        if is_required { logins(target, clock()).await } else { Ok(Vec::new()) },
    ];
    for found in found {
        findings.extend(found.unwrap_or_else(|error| vec![finding::unchecked(CHECK, &error)]));
    }
    findings
}

fn policy(is_required: bool) -> Finding {
    if is_required {
        return Finding::ok(CHECK, "ChatProof is Required: a login connects its chat once that chat has sent its code");
    }
    Finding::note(
        CHECK,
        "ChatProof is not Required: a login connects its chat without that chat's confirmation",
        "Whoever forwards their link to somebody who approves it gets that person's Salesforce in their own chat.",
        format!("Let the bot pass codes on ({HOW}), then set ChatProof=Required and BotPhoneNumber, and deploy."),
    )
}

fn no_table() -> Finding {
    Finding::problem(
        CHECK,
        "the stack has no PendingTable",
        "Logins that wait for their chat are held nowhere, so nobody can connect.",
        "Deploy again.",
    )
}

async fn pending_table(target: &Target, name: &str) -> Result<Vec<Finding>, Error> {
    Ok(table(name, Tables::new(&target.aws).settings(name).await?.as_ref()))
}

/// The table of pending logins, which the stack makes.
fn table(name: &str, settings: Option<&TableSettings>) -> Vec<Finding> {
    let Some(settings) = settings else { return vec![tables::missing(name)] };
    if let Some(wrong) = tables::key(name, settings, attr::PROOF) {
        return vec![wrong];
    }
    if settings.expiry.as_deref() != Some(attr::EXPIRES_AT) {
        let remedy = format!(
            "Run aws dynamodb update-time-to-live --table-name {name} --time-to-live-specification \
             Enabled=true,AttributeName={}",
            attr::EXPIRES_AT
        );
        let meaning = "Logins that are over, and codes that nobody waited for, stay in the table with their chats.";
        return vec![Finding::note(CHECK, format!("rows of {name} do not expire"), meaning, remedy)];
    }
    vec![Finding::ok(CHECK, format!("{name} holds the logins that wait for their chat"))]
}

/// Whether the functions have the stack's settings.
async fn environment(target: &Target, table: &str) -> Result<Vec<Finding>, Error> {
    let stack = &target.stack;
    let parameter = |variable, name| (variable, stack.parameter(name).to_owned(), name);
    let pending = ("PENDING_TABLE_NAME", table.to_owned(), "PendingTable");
    let (policy, minutes) = (parameter("CHAT_PROOF", "ChatProof"), parameter("PROOF_MINUTES", "ProofMinutes"));
    let queue = ("EXCHANGE_QUEUE_URL", stack.output("ExchangeQueueUrl")?.to_owned(), "ExchangeQueueUrl");
    let limits = ("LIMIT_TABLE_NAME", stack.output("LimitTableName")?.to_owned(), "LimitTableName");
    let wanted: [(&str, Vec<Setting<'_>>); 5] = [
        ("CallbackReceiver", vec![policy.clone(), minutes.clone()]),
        ("TokenExchanger", vec![policy.clone(), minutes, pending.clone(), queue.clone()]),
        ("TokenKeeper", vec![pending, queue.clone(), limits]),
        ("TokenRefresher", vec![queue]),
        ("Notifier", vec![policy]),
    ];
    let functions = Functions::new(&target.aws);
    let mut findings = Vec::new();
    for (title, settings) in &wanted {
        let name = stack.output(&format!("{title}FunctionName"))?;
        let of = functions.settings(name).await?;
        findings.extend(upkeep::environment((CHECK, changed), title, settings, |name| of.get(name)));
    }
    Ok(findings)
}

/// What it means for people where a function has another value of this variable than the stack says.
fn changed(variable: &str) -> &'static str {
    match variable {
        "CHAT_PROOF" => {
            "Some functions have chats confirm their logins, and others do not: people may not get connected."
        }
        "PROOF_MINUTES" => "Codes live for another time than the page says.",
        "PENDING_TABLE_NAME" => {
            "Codes are looked for in another table than the one that logins are held in: nobody gets connected."
        }
        "LIMIT_TABLE_NAME" => {
            "Wrong codes are counted elsewhere, or not at all: a chat may guess more often than it should."
        }
        "EXCHANGE_QUEUE_URL" => {
            "Messages about logins and held tokens go elsewhere: people are not connected, and tokens not revoked."
        }
        _ => "It does not do what the stack's parameters say.",
    }
}

/// Whether the bot's policy lets it pass codes on.
async fn bot_policy(target: &Target, is_required: bool) -> Result<Vec<Finding>, Error> {
    let stack = &target.stack;
    let Some(arn) = stack.resource("BotPolicy").filter(|_| is_required) else { return Ok(Vec::new()) };
    stack.output("ConfirmationsUrl")?;
    let call = bot::call(stack.id(), stack.output("ApiId")?);
    Ok(vec![bot::policy(&Roles::new(&target.aws).statements(arn).await?, &call)])
}

/// Whether chats confirm their logins: a bot that passes nothing on leaves nobody connected.
async fn logins(target: &Target, now: Timestamp) -> Result<Vec<Finding>, Error> {
    let name = target.stack.output("AttemptTableName")?;
    let settings = Tables::new(&target.aws).settings(name).await?;
    if !settings.as_ref().is_some_and(tables::has_indexes) {
        return Err(Error::NothingMatched(format!("{name} has no index by status")));
    }
    let of = Of::Statuses(vec![Status::Unconfirmed, Status::Failed, Status::Connected]);
    let wanted = Wanted { of, since: now.minus(LOOKED_AT), until: None, unnotified_only: false, limit: MOST };
    let listed = AttemptTable::new(&target.aws, name).list(&wanted, now).await?;
    Ok(vec![Logins::count(&listed.attempts, now).finding()])
}

/// What became of the latest logins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Logins {
    /// Those whose code a chat has sent, the right one or another.
    sent: usize,
    /// Those without a code.
    unsent: usize,
    /// Of these, those after the latest one that has been sent.
    in_a_row: usize,
}

impl Logins {
    /// Counts attempts, the latest first.
    fn count(attempts: &[Item], now: Timestamp) -> Self {
        let mut logins = Self::default();
        for attempt in attempts {
            let is_late = attempt.updated_at.is_some_and(|at| at < now.minus(TIME_TO_SEND));
            match (attempt.status(), attempt.reason.as_deref().and_then(Reason::parse)) {
                (Some(Status::Connected), _) | (Some(Status::Failed), Some(Reason::WrongChat)) => logins.sent += 1,
                (Some(Status::Failed), Some(Reason::Unconfirmed)) => logins.unsent += 1,
                (Some(Status::Unconfirmed), _) if is_late => logins.unsent += 1,
                _ => {}
            }
            if logins.sent == 0 {
                logins.in_a_row = logins.unsent;
            }
        }
        logins
    }

    /// What there was, in a sentence.
    fn summary(self) -> String {
        let Self { sent, unsent, .. } = self;
        if sent + unsent == 0 {
            return "no login has waited for a code within 24 hours".to_owned();
        }
        let whose = if sent == 1 { "its" } else { "their" };
        format!("{} got {whose} code within 24 hours, {unsent} did not", count(sent, "login"))
    }

    fn finding(self) -> Finding {
        let Self { sent, in_a_row, .. } = self;
        let is_silent = in_a_row >= if sent == 0 { MANY } else { MANY_IN_A_ROW };
        if !is_silent {
            return Finding::ok(CHECK, self.summary());
        }
        let since = if sent == 0 { "within 24 hours" } else { "since the latest one that connected" };
        Finding::problem(
            CHECK,
            format!("{} got no code from their chat {since}, and none was confirmed", count(in_a_row, "login")),
            "Nobody gets connected: most likely the bot passes no codes on.",
            format!(
                "Let the bot pass each message with a code on to POST /confirmations ({HOW}), and follow docs/RUNBOOK.md, \
                 \"Unconfirmed logins\"; until it does, ChatProof=Off connects people as before."
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use fakes::{Answer, Server};
    use serde_json::{Value, json};

    use super::*;
    use crate::{aws::tests::config_of, records::tests::attempt, stack::Stack};

    /// Ten minutes after the attempts' last write.
    const NOW: Timestamp = Timestamp::from_millis(1_790_000_601_000);

    fn login(what: &str) -> Item {
        attempt(&match what {
            "connected" => json!({}),
            "waiting" => json!({"status": "unconfirmed"}),
            "begun" => json!({"status": "unconfirmed", "updated_at": NOW.millis() - 1_000}),
            reason => json!({"status": "failed", "reason": reason}),
        })
    }

    fn found(logins: &[&str]) -> Finding {
        Logins::count(&logins.iter().map(|what| login(what)).collect::<Vec<_>>(), NOW).finding()
    }

    #[test]
    fn many_logins_without_a_code_and_none_with_one_are_a_problem_that_names_what_the_bot_lacks() {
        let silent = found(&["waiting", "unconfirmed", "unconfirmed"]);
        assert!(silent.is_problem() && silent.title.starts_with("3 logins got no code"), "{silent:?}");
        assert!(silent.remedy.contains("docs/API.md") && silent.remedy.contains("POST /confirmations"));
        assert!(silent.remedy.contains("\"Unconfirmed logins\""), "{}", silent.remedy);
        assert!(include_str!("../../../../docs/RUNBOOK.md").contains("\n## Unconfirmed logins\n"));
    }

    #[test]
    fn a_few_logins_without_a_code_are_none() {
        for fine in [
            &[][..],
            &["waiting", "unconfirmed"],
            &["begun", "begun", "begun", "begun"],
            &["denied", "denied", "denied"],
            &["unconfirmed", "unconfirmed", "unconfirmed", "connected"],
            &["unconfirmed", "unconfirmed", "unconfirmed", "wrong_chat"],
        ] {
            assert!(!found(fine).is_problem(), "{fine:?}");
        }
    }

    #[test]
    fn logins_that_got_their_code_are_counted_in_a_sentence() {
        assert_eq!(found(&[]).title, "no login has waited for a code within 24 hours");
        let both = [&["connected"; 31][..], &["unconfirmed", "waiting"]].concat();
        assert_eq!(found(&both).title, "31 logins got their code within 24 hours, 2 did not");
        assert_eq!(found(&["connected"]).title, "1 login got its code within 24 hours, 0 did not");
    }

    #[test]
    fn connections_of_before_chats_were_asked_hide_no_silence() {
        let silent = [&["unconfirmed"; MANY_IN_A_ROW][..], &["connected"; 5]].concat();
        let silent = found(&silent);
        assert!(silent.is_problem() && silent.title.contains("since the latest one that connected"), "{silent:?}");
        let confirmed = [&["connected"][..], &["unconfirmed"; MANY_IN_A_ROW]].concat();
        assert!(!found(&confirmed).is_problem());
    }

    #[test]
    fn a_stack_that_asks_for_no_confirmation_gets_a_hint_with_the_risk() {
        let off = policy(false);
        assert!(!off.is_problem() && off.meaning.contains("forwards their link"), "{off:?}");
        assert!(off.remedy.contains("ChatProof=Required") && off.remedy.contains("BotPhoneNumber"), "{off:?}");
        assert!(policy(true).remedy.is_empty());
    }

    /// A function's settings, at Lambda.
    const FUNCTIONS: [(&str, &str); 5] = [
        ("CallbackReceiver", "/2015-03-31/functions/CallbackReceiver/configuration"),
        ("TokenExchanger", "/2015-03-31/functions/TokenExchanger/configuration"),
        ("TokenKeeper", "/2015-03-31/functions/TokenKeeper/configuration"),
        ("TokenRefresher", "/2015-03-31/functions/TokenRefresher/configuration"),
        ("Notifier", "/2015-03-31/functions/Notifier/configuration"),
    ];

    /// What is found where every function has these variables.
    async fn with_variables(variables: Value) -> Vec<Finding> {
        let server = Server::start().await;
        let body = json!({"Timeout": 30, "Role": "arn:r", "Environment": {"Variables": variables}});
        let mut outputs = HashMap::new();
        for (title, path) in FUNCTIONS {
            let body = body.clone();
            server.on(path, move |_| Answer::json(200, &body));
            outputs.insert(format!("{title}FunctionName"), title.to_owned());
        }
        outputs.extend(["ExchangeQueueUrl", "LimitTableName"].map(|name| (name.to_owned(), "own".to_owned())));
        let parameters = [("ChatProof", "Required"), ("ProofMinutes", "10")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let stack = Stack::new("connect".to_owned(), String::new(), parameters, outputs, Vec::new());
        environment(&Target { aws: config_of(&server).await, stack }, "own").await.unwrap()
    }

    fn own() -> Value {
        json!({
            "CHAT_PROOF": "Required", "PROOF_MINUTES": "10", "PENDING_TABLE_NAME": "own", "LIMIT_TABLE_NAME": "own",
            "EXCHANGE_QUEUE_URL": "own",
        })
    }

    #[tokio::test]
    async fn functions_with_the_stacks_settings_are_well() {
        assert_eq!(with_variables(own()).await, []);
    }

    #[tokio::test]
    async fn a_changed_variable_is_found_by_this_check_and_says_what_it_means_for_codes() {
        for (variable, functions, meaning) in [
            ("CHAT_PROOF", 3, "Some functions have chats confirm"),
            ("PROOF_MINUTES", 2, "Codes live for another time than the page says."),
            ("PENDING_TABLE_NAME", 2, "Codes are looked for in another table"),
            ("LIMIT_TABLE_NAME", 1, "Wrong codes are counted elsewhere"),
            ("EXCHANGE_QUEUE_URL", 3, "Messages about logins"),
        ] {
            let mut variables = own();
            variables[variable] = "another".into();
            let found = with_variables(variables).await;
            assert_eq!(found.len(), functions, "{found:?}");
            let is_of_proof = |found: &Finding| found.check == "chat-proof" && found.meaning.starts_with(meaning);
            assert!(found.iter().all(is_of_proof), "{found:?}");
        }
    }

    #[test]
    fn the_table_of_pending_logins_has_its_key_and_its_expiry() {
        let whole = TableSettings {
            key: "proof (S)".to_owned(),
            expiry: Some("expires_at".to_owned()),
            ..TableSettings::default()
        };
        assert!(matches!(&table("pending", Some(&whole))[..], [found] if found.remedy.is_empty()));
        let lasting = TableSettings { expiry: None, ..whole.clone() };
        let [found] = &table("pending", Some(&lasting))[..] else { panic!("one finding") };
        assert!(!found.is_problem() && found.remedy.contains("update-time-to-live --table-name pending"), "{found:?}");
        let other = TableSettings { key: "id (S)".to_owned(), ..whole };
        for wrong in [Some(&other), None] {
            assert!(table("pending", wrong)[0].is_problem());
        }
    }
}
