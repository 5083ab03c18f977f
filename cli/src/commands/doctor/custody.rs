//! Who refreshes tokens, and whether the stack is in a state to. What is found is judged by pure functions.

use std::time::Duration;

use shared::{metrics::Metric, timestamp::Clock};

use super::{
    deployment,
    finding::{self, Finding},
    upkeep::{self, Opened, Setting, User},
};
use crate::{
    aws::{self, Context, Functions, Keys, Query, Queue, Roles, Settings, Statistic, statistics},
    error::Error,
    report::count,
    target::Target,
};

const CHECK: &str = "custody";
/// A sweep is finished once a day, and a flexible window later.
const SWEPT_WITHIN: Duration = Duration::from_hours(26);
/// What whoever holds tokens does with their key.
const ACTIONS: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];
const CONTEXT: &Context<'static> = &[("kms:EncryptionContext:purpose", "refresh-token")];

/// Everything that concerns custody. A stack of an earlier version has none.
pub(super) async fn check(target: &Target, clock: Clock) -> Vec<Finding> {
    let mut findings = holder(target.stack.parameter("TokenCustody"));
    findings.extend(egress(target.stack.output("EgressAddresses").ok()));
    if target.stack.parameter("TokenCustody") != "Stack" {
        return findings;
    }
    let (keys, settings) = match holders(target).await {
        Ok(holders) => (key(target, &holders).await, environment(target, &holders)),
        Err(error) => (Err(error), Ok(Vec::new())),
    };
    let found = [
        sources(target).await,
        schedule(target, clock).await,
        swept(target, clock).await,
        keys,
        settings,
        dead_letters(target).await,
    ];
    for found in found {
        findings.extend(found.unwrap_or_else(|error| vec![finding::unchecked(CHECK, &error)]));
    }
    findings
}

fn holder(custody: &str) -> Vec<Finding> {
    let title = match custody {
        "Stack" => "TokenCustody is Stack: refresh tokens are sealed, and the stack refreshes them",
        "Bot" => "TokenCustody is Bot: refresh tokens are plain, the bot refreshes them, and the stack never does",
        _ => return Vec::new(),
    };
    vec![Finding::ok(CHECK, title)]
}

fn egress(addresses: Option<&str>) -> Option<Finding> {
    addresses.map(|addresses| {
        let title =
            format!("Salesforce sees the stack as {addresses}: put these on its orgs' and the app's allow-lists");
        Finding::ok("egress", title)
    })
}

async fn sources(target: &Target) -> Result<Vec<Finding>, Error> {
    let name = target.stack.output("TokenRefresherFunctionName")?;
    Ok(finding::event_sources("TokenRefresher", &Functions::new(&target.aws).event_sources(name).await?))
}

async fn swept(target: &Target, clock: Clock) -> Result<Vec<Finding>, Error> {
    if target.stack.parameter("KeepAliveDays") == "0" {
        let meaning = "Connections that no bot uses end when Salesforce forgets their tokens.";
        return Ok(vec![Finding::note(CHECK, "KeepAliveDays is 0", meaning, "Set it to 7 and deploy.")]);
    }
    let query = Query { metric: Metric::SweepFinished, by: None, statistic: Statistic::Sum };
    let found = statistics(&target.aws, target.stack.name(), &[query], SWEPT_WITHIN, clock).await?;
    Ok(vec![sweep(found.first().and_then(|found| found.value).is_some_and(|finished| finished > 0.0))])
}

/// A stack that is new has not been through its table yet, so that this is no problem by itself.
fn sweep(is_finished: bool) -> Finding {
    if is_finished {
        return Finding::ok(CHECK, "a sweep of the token table was finished within 26 hours");
    }
    Finding::note(
        CHECK,
        "no sweep of the token table was finished within 26 hours",
        "Connections that no bot uses end after some weeks without a sweep.",
        "If the stack is older than a day: run wasf dlq stats, and wasf logs --since 1d --function token-refresher.",
    )
}

async fn key(target: &Target, holders: &[Holder]) -> Result<Vec<Finding>, Error> {
    let arn = target.stack.output("RefreshTokenKeyArn")?;
    let key = Keys::new(&target.aws).read(arn).await?;
    if key.state != "Enabled" {
        return Ok(vec![finding::unusable_key("RefreshTokenKey", arn, &key.state)]);
    }
    let roles = Roles::new(&target.aws);
    let (mut findings, mut users) = (Vec::new(), Vec::new());
    for Holder { title, settings } in holders {
        // The exchanger seals, and opens nothing.
        let actions = if *title == "TokenExchanger" { &ACTIONS[1..] } else { &ACTIONS[..] };
        for action in roles.denied(&settings.role_arn, actions, &key.arn, CONTEXT).await? {
            findings.push(finding::key_denied(
                title,
                &action,
                "RefreshTokenKey",
                "its role's policies do not allow it",
            ));
        }
        users.push(User { title, role_arn: settings.role_arn.clone(), actions });
    }
    let is_given = !target.stack.parameter("RefreshTokenKeyArn").is_empty();
    let opened = Opened { stack: target.stack.name(), arn: &key.arn, statements: &key.statements, is_given };
    findings.extend(upkeep::key_policy(&opened, &users));
    if !findings.iter().any(Finding::is_problem) {
        findings.push(Finding::ok(CHECK, "RefreshTokenKey is enabled, and keeper, refresher and exchanger may use it"));
    }
    Ok(findings)
}

async fn schedule(target: &Target, clock: Clock) -> Result<Vec<Finding>, Error> {
    // A stack that was changed from TokenCustody=Bot may lack it for a moment.
    let Some(name) = target.stack.resource("SweepSchedule") else { return Ok(Vec::new()) };
    let found = aws::schedule(&target.aws, name, clock).await?;
    Ok(vec![upkeep::schedule(name, found.as_ref(), target.stack.output("UpkeepQueueUrl")?)])
}

/// A function that holds tokens.
struct Holder {
    /// As in the template's outputs.
    title: &'static str,
    settings: Settings,
}

async fn holders(target: &Target) -> Result<Vec<Holder>, Error> {
    let functions = Functions::new(&target.aws);
    let mut holders = Vec::new();
    for output in ["TokenKeeperFunctionName", "TokenRefresherFunctionName", "TokenExchangerFunctionName"] {
        let settings = functions.settings(target.stack.output(output)?).await?;
        holders.push(Holder { title: output.strip_suffix("FunctionName").unwrap_or(output), settings });
    }
    Ok(holders)
}

/// Whether the functions' environment is what the stack says.
fn environment(target: &Target, holders: &[Holder]) -> Result<Vec<Finding>, Error> {
    let stack = &target.stack;
    let parameter = |variable, name| (variable, stack.parameter(name).to_owned(), name);
    let output = |variable, name| Ok::<Setting<'_>, Error>((variable, stack.output(name)?.to_owned(), name));
    let common = [
        parameter("TOKEN_CUSTODY", "TokenCustody"),
        output("DYNAMODB_PROFILE_TABLE_NAME", "TokenTableName")?,
        output("ATTEMPT_TABLE_NAME", "AttemptTableName")?,
        output("UPKEEP_QUEUE_URL", "UpkeepQueueUrl")?,
        output("TOKEN_KEY_ID", "RefreshTokenKeyArn")?,
    ];
    let mut findings = Vec::new();
    for Holder { title, settings } in holders {
        let own = match *title {
            "TokenKeeper" => vec![
                parameter("LOGIN_URLS", "LoginUrls"),
                parameter("TOKEN_MAX_AGE_MINUTES", "TokenMaxAgeMinutes"),
                parameter("RELINK_LIFETIME_HOURS", "RelinkLifetimeHours"),
                parameter("SF_REDIRECT_URI", "CallbackUri"),
                parameter("SF_CALLBACK_URI_SECRET_NAME", "CallbackUriSecretName"),
            ],
            "TokenRefresher" => vec![
                parameter("LOGIN_URLS", "LoginUrls"),
                parameter("TOKEN_MAX_AGE_MINUTES", "TokenMaxAgeMinutes"),
                parameter("KEEP_ALIVE_DAYS", "KeepAliveDays"),
            ],
            _ => Vec::new(),
        };
        let all = [&common[..], &own].concat();
        findings.extend(upkeep::environment(upkeep::CUSTODY, title, &all, |name| settings.get(name)));
        if *title != "TokenExchanger" {
            findings.extend(deployment::environment(title, |name| settings.get(name).map(str::to_owned)));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "keeper, refresher and exchanger have the stack's settings"));
    }
    Ok(findings)
}

async fn dead_letters(target: &Target) -> Result<Vec<Finding>, Error> {
    let counts = Queue::new(&target.aws, target.stack.output("UpkeepDlqUrl")?).counts().await?;
    Ok(vec![given_up(counts.waiting + counts.in_flight)])
}

fn given_up(letters: usize) -> Finding {
    if letters == 0 {
        return Finding::ok(CHECK, "no upkeep dead letters");
    }
    Finding::problem(
        CHECK,
        count(letters, "upkeep dead letter"),
        "Refreshed tokens may be unstored, or revoked ones alive.",
        "Run wasf dlq list --queue upkeep, then wasf dlq redrive --queue upkeep --confirm.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custody_is_said_in_words() {
        assert!(holder("Bot")[0].title.ends_with("the stack never does"));
        assert!(holder("Stack")[0].title.contains("the stack refreshes them"));
        assert!(holder("").is_empty(), "a stack of an earlier version");
    }

    #[test]
    fn fixed_addresses_are_named() {
        assert!(egress(Some("192.0.2.1, 192.0.2.2")).unwrap().title.contains("192.0.2.1, 192.0.2.2"));
        assert!(egress(None).is_none());
    }

    #[test]
    fn a_missing_sweep_is_a_note() {
        assert!(!sweep(false).is_problem() && !sweep(false).remedy.is_empty());
        assert!(sweep(true).remedy.is_empty());
    }

    #[test]
    fn upkeep_that_was_given_up_is_a_problem() {
        assert!(given_up(2).is_problem() && given_up(2).title == "2 upkeep dead letters");
        assert!(!given_up(0).is_problem());
    }
}
