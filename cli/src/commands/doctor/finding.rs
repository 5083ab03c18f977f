//! What a check finds, and how that is judged. Pure: the checks themselves are in [`super::checks`].

use std::{borrow::Cow, collections::HashSet, time::Duration};

use serde_json::{Value, json};
use shared::{CallbackUri, LoginUrl, Timestamp, attempt::Item};

use crate::{
    aws::{EventSource, Subscriptions},
    error::Error,
    parties::{AppStatus, CredentialStatus, Probe},
    records::Unreadable,
    report::count,
};

/// How long a notification may take.
const TELLING: Duration = Duration::from_mins(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    /// Worth knowing, but not a problem.
    Note,
    Problem,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The check's name.
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// The fact, in one line.
    pub(super) title: String,
    /// What it means for people; empty if all is well.
    pub(super) meaning: Cow<'static, str>,
    /// What to do, in the imperative; empty if there is nothing to do.
    pub(super) remedy: String,
}

impl Level {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "wrong",
        }
    }
}

impl Finding {
    pub(super) fn ok(check: &'static str, title: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, title: title.into(), meaning: Cow::Borrowed(""), remedy: String::new() }
    }

    pub(super) fn note(
        check: &'static str,
        title: impl Into<String>,
        meaning: impl Into<Cow<'static, str>>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, level: Level::Note, title: title.into(), meaning: meaning.into(), remedy: remedy.into() }
    }

    pub(super) fn problem(
        check: &'static str,
        title: impl Into<String>,
        meaning: impl Into<Cow<'static, str>>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, level: Level::Problem, title: title.into(), meaning: meaning.into(), remedy: remedy.into() }
    }

    pub(super) fn is_problem(&self) -> bool {
        self.level == Level::Problem
    }

    pub(super) fn json(&self) -> Value {
        let Self { check, level, title, meaning, remedy } = self;
        json!({"check": check, "level": level.as_str(), "text": title, "meaning": meaning, "remedy": remedy})
    }
}

/// A check that could not run: because of what another check finds missing, or for an error of its own.
pub(super) fn unchecked(check: &'static str, error: &Error) -> Finding {
    match error {
        Error::NothingMatched(why) => Finding::note(
            check,
            format!("not checked: {why}"),
            "This check needs what another check finds missing.",
            "Fix that first, then run wasf doctor again.",
        ),
        _ => Finding::problem(
            check,
            error.to_string(),
            "This check could not run, so its result is unknown.",
            "Check your credentials' permissions and the network, then run wasf doctor again.",
        ),
    }
}

/// The callback URL of each function that has one, compared with the API's own.
pub(super) fn callback(given: &[(&str, String)], own: &str) -> Finding {
    let check = "callback";
    let (_, first) = &given[0];
    if let Some((function, other)) = given.iter().find(|(_, uri)| uri != first) {
        return Finding::problem(
            check,
            format!("the functions have different callback URLs: {} has {first}, {function} has {other}", given[0].0),
            "Salesforce refuses the codes, so nobody can connect.",
            "Deploy again: all functions need the same CallbackUri.",
        );
    }
    match first.parse::<CallbackUri>() {
        Err(why) => Finding::problem(
            check,
            format!("the callback URL {first} is invalid: {why}"),
            "Salesforce cannot send people back, so nobody can connect.",
            "Set CallbackUri (or its secret) to https://<host>/callback, and deploy.",
        ),
        Ok(_) if first == own => Finding::ok(check, format!("the callback URL is the API's own, {first}")),
        // Whether the domain leads to this API is checked by the page of a link.
        Ok(_) => Finding::ok(check, format!("the callback URL is {first}, on your own domain")),
    }
}

/// The page of a link that this stack's API made, which is beside the callback.
pub(super) fn page(callback: &str, probe: Probe) -> Finding {
    let check = "callback";
    let meaning = "People who open a link get no page, so nobody can connect.";
    let elsewhere = |why: String| {
        Finding::problem(
            check,
            format!("the callback URL {callback} does not lead to this stack's API: the page of a link {why}"),
            meaning,
            "Map the domain to this API (output ApiId), or leave CallbackUri empty and deploy; then put the output \
             CallbackUrl into the Salesforce app.",
        )
    };
    match probe {
        Probe::Status(200) => Finding::ok(check, "a link was made, and its page opens at the callback's host"),
        Probe::Foreign(status, what) => Finding::problem(
            check,
            format!(
                "the page of a link does not open at the callback's host: {callback} is where {what} answers ({status})"
            ),
            meaning,
            "Map the domain to this API (output ApiId). If it is, something before the API answers, such as a page of \
             maintenance: let it pass /connect and /callback on.",
        ),
        Probe::Status(status @ (408 | 429)) => Finding::note(
            check,
            format!("not known: the page of a link returns {status}"),
            "Whether people who open a link get its page is unknown: the API is busy, or what is before it.",
            "Run wasf doctor again in a minute; if it stays so, see docs/RUNBOOK.md#api-load.",
        ),
        Probe::Status(status @ 500..) => Finding::problem(
            check,
            format!("the page of a link returns {status}"),
            meaning,
            "Read connect-link's log for the error.",
        ),
        Probe::Status(status) => elsewhere(format!("returns {status}")),
        Probe::NoResponse(why) => elsewhere(format!("has no response ({why})")),
    }
}

/// The login hosts of all functions, each once.
pub(super) fn login_urls<'a>(given: impl IntoIterator<Item = &'a str>) -> Vec<Finding> {
    let judge = |url: &str| match url.parse::<LoginUrl>() {
        Ok(_) => Finding::ok("login-urls", format!("the login host {url} is valid")),
        Err(why) => Finding::problem(
            "login-urls",
            format!("the login host {url} is invalid: {why}"),
            "Functions with this setting do not start.",
            "Correct LoginUrls (https://host, separated by commas), and deploy.",
        ),
    };
    let mut seen = HashSet::new();
    let urls = given.into_iter().flat_map(|text| text.split(',')).map(str::trim);
    urls.filter(|url| seen.insert(*url)).map(judge).collect()
}

pub(super) fn visibility(visibility_seconds: u64, timeout_seconds: u64) -> Finding {
    let lower_bound = 6 * timeout_seconds;
    let title = format!("the exchange queue's visibility timeout is {visibility_seconds} s");
    if visibility_seconds >= lower_bound {
        return Finding::ok("visibility", title);
    }
    Finding::problem(
        "visibility",
        format!("{title}, less than six times the exchanger's timeout of {timeout_seconds} s"),
        "A message may be delivered to two exchangers at once.",
        format!("Deploy again, or set the queue's VisibilityTimeout to {lower_bound}."),
    )
}

pub(super) fn event_sources(function: &str, sources: &[EventSource]) -> Vec<Finding> {
    let check = "event-sources";
    let meaning = "Messages wait, and nobody is connected or notified.";
    if sources.is_empty() {
        return vec![Finding::problem(check, format!("{function} has no event source"), meaning, "Deploy again.")];
    }
    let judge = |source: &EventSource| {
        let from = source.source_arn.split(':').skip(5).collect::<Vec<_>>().join(":");
        match source.state.as_str() {
            "Enabled" | "Enabling" | "Updating" | "Creating" => {
                Finding::ok(check, format!("{from} invokes {function}"))
            }
            state => Finding::problem(
                check,
                format!("{from} does not invoke {function}: the event source mapping is {state}"),
                meaning,
                format!("Enable it: run aws lambda update-event-source-mapping --uuid {} --enabled", source.id),
            ),
        }
    };
    sources.iter().map(judge).collect()
}

/// The response to an empty, unsigned request.
pub(super) fn webhook(probe: Probe) -> Finding {
    let check = "webhook";
    let problem = |how: String| {
        let remedy = "Correct BotWebhookUrl and deploy, or repair the bot; then run wasf events redeliver.";
        Finding::problem(check, format!("the bot's webhook {how}"), "The bot gets no events.", remedy)
    };
    let unknown = |how: String, meaning: &'static str| {
        let remedy = "Run wasf events test, which sends a signed event.";
        Finding::note(check, format!("not known: the bot's webhook returns {how}"), meaning, remedy)
    };
    let (status, of_another) = match probe {
        Probe::NoResponse(why) => return problem(format!("does not respond: {why}")),
        Probe::Foreign(status, what) => (status, Some(what)),
        Probe::Status(status) => (status, None),
    };
    match (status, of_another) {
        (404 | 405 | 410, _) => problem(format!("returns {status}: the URL takes no events")),
        (300..400, _) => problem(format!("returns {status}: redirects are not followed")),
        // A signed event may be accepted, or get the same response: a request without a signature does not tell.
        (408 | 429, _) => {
            unknown(status.to_string(), "Whether the bot takes events is unknown: it, or what is before it, is busy.")
        }
        (500.., _) => Finding::problem(
            check,
            format!("the bot's webhook returns {status} to a request without a signature"),
            "The bot fails, and may take no events: that is unknown until it is sent one.",
            "Run wasf events test, which sends a signed event; repair the bot, or correct BotWebhookUrl and deploy.",
        ),
        (_, Some(what)) => unknown(
            format!("{status} {what}"),
            "It may be the bot, or something before it, such as a gateway, that lets no event through.",
        ),
        (200..300, None) => Finding::note(
            check,
            "the bot's webhook accepts a request without a signature",
            "Anybody can send the bot false events.",
            "Let the bot verify webhook-signature (Standard Webhooks).",
        ),
        (400 | 401 | 403 | 422, None) => {
            Finding::ok(check, format!("the bot's webhook refuses a request without a signature ({status})"))
        }
        (_, None) => unknown(
            status.to_string(),
            "Whether it refuses the missing signature, or events of this form altogether, is unknown.",
        ),
    }
}

pub(super) fn whatsapp(provider: &str, secret: &str, status: CredentialStatus) -> Finding {
    let check = "whatsapp";
    let meaning = "Nobody gets a message.";
    match status {
        CredentialStatus::Accepted => Finding::ok(check, format!("{provider} accepts the credentials")),
        CredentialStatus::Refused(code) => Finding::problem(
            check,
            format!("{provider} refuses the credentials (error {code})"),
            meaning,
            format!(
                "Put the account's current credentials into the secret {secret}: run wasf secret set {secret} --confirm"
            ),
        ),
        CredentialStatus::Malformed => Finding::problem(
            check,
            format!("the secret {secret} does not have {provider}'s format"),
            meaning,
            format!("Put the provider's JSON into it: run wasf secret set {secret} --confirm"),
        ),
        CredentialStatus::NoAnswer(why) => Finding::problem(
            check,
            format!("{provider} did not confirm the credentials: {why}"),
            "Whether people get messages is unknown.",
            "Check the provider's status page, then run wasf doctor again.",
        ),
        CredentialStatus::Unclear(seen) => Finding::note(
            check,
            format!("not known: {provider} did not say whether the credentials are right ({seen})"),
            "Whether people get messages is unknown.",
            "Check the provider's status page, WhatsAppApiUrl and the network's proxy, then run wasf doctor again.",
        ),
    }
}

pub(super) fn app(host: &str, status: &AppStatus) -> Finding {
    let check = "salesforce";
    match status {
        AppStatus::Accepted => Finding::ok(check, format!("{host} accepts the app and its callback URL")),
        AppStatus::Refused(code) => {
            let remedy = match code.as_str() {
                "redirect_uri_mismatch" => {
                    "Put the output CallbackUrl into the Salesforce app, exactly as it is. A change takes some minutes."
                }
                "invalid_client_id" => {
                    "Put the app's consumer key into its secret. A new app is accepted after some minutes."
                }
                _ => "Compare the app's OAuth settings with those that wasf init prints.",
            };
            Finding::problem(check, format!("{host} refuses the app: {code}"), "Nobody can log in there.", remedy)
        }
        AppStatus::NoAnswer(why) => Finding::problem(
            check,
            format!("{host} did not confirm the app: {why}"),
            "Whether people can log in there is unknown.",
            "Check https://status.salesforce.com, then run wasf doctor again.",
        ),
        AppStatus::Unclear(seen) => Finding::note(
            check,
            format!("not known: {host} did not say whether it accepts the app ({seen})"),
            "Whether people can log in there is unknown.",
            "Check LoginUrls, https://status.salesforce.com and the network's proxy; connect once yourself, then run wasf \
             doctor again.",
        ),
    }
}

pub(super) fn alarms(found: Subscriptions) -> Finding {
    let check = "alarms";
    match found {
        Subscriptions { pending: 0, confirmed: 0 } => Finding::note(
            check,
            "nobody is subscribed to alarms",
            "An outage goes unnoticed.",
            "Set AlarmEmail and deploy, or subscribe to the topic.",
        ),
        Subscriptions { pending: 0, confirmed: 1 } => Finding::ok(check, "1 subscriber receives alarms"),
        Subscriptions { pending: 0, confirmed } => {
            Finding::ok(check, format!("{confirmed} subscribers receive alarms"))
        }
        Subscriptions { pending, .. } => Finding::problem(
            check,
            format!("{pending} unconfirmed subscriptions to alarms"),
            "Those subscribers receive no alarms.",
            "Open the link in the e-mail from AWS Notifications, or subscribe again.",
        ),
    }
}

pub(super) fn unusable_key(key: &str, arn: &str, state: &str) -> Finding {
    let remedy = match state {
        "PendingDeletion" => format!(
            "Cancel the deletion: run aws kms cancel-key-deletion --key-id {arn}, then aws kms enable-key --key-id {arn}"
        ),
        _ => format!("Enable it: run aws kms enable-key --key-id {arn}"),
    };
    Finding::problem("kms", format!("the key {key} is {state}"), "Nobody can connect without it.", remedy)
}

pub(super) fn key_denied(function: &str, action: &str, key: &str, why: &str) -> Finding {
    Finding::problem(
        "kms",
        format!("{function} may not {action} with {key}: {why}"),
        what_stops(function),
        "Deploy again: the template grants exactly these permissions.",
    )
}

/// What people and bots notice where a function fails whenever it is called.
pub(super) fn what_stops(function: &str) -> &'static str {
    match function {
        "ConnectLink" => "Links and their button fail, so nobody can begin to connect.",
        "CallbackReceiver" => "Whoever comes back from Salesforce gets an error page, so nobody can connect.",
        "TokenExchanger" => "Codes are not exchanged, so nobody can connect.",
        "Notifier" => "People connect, but they or the bot may not be notified, or only without a new link.",
        "TokenKeeper" => "Bots get no tokens, and cannot end connections. People can connect.",
        "TokenRefresher" => "Connections that no bot uses are not refreshed, and end after some weeks.",
        _ => "The function fails.",
    }
}

/// A queue of failures, which is empty while all is well.
pub(super) fn queue(what: &str, number: usize, meaning: &'static str, remedy: &str) -> Finding {
    if number == 0 {
        Finding::ok("queues", format!("no {what}"))
    } else {
        Finding::problem("queues", format!("{number} {what}"), meaning, remedy)
    }
}

pub(super) fn stuck(number: usize) -> Finding {
    if number == 0 {
        return Finding::ok("attempts", "no attempt has an expired lease");
    }
    Finding::problem(
        "attempts",
        format!("{number} attempts with an expired lease"),
        "Their exchanger crashed or timed out. The queue's next delivery resumes them.",
        "Wait three minutes. If they remain, run wasf attempt list --status exchanging and wasf dlq list.",
    )
}

/// Outcomes whose notification is not complete: some minutes are a problem.
pub(super) fn untold(incomplete: &[Item], now: Timestamp) -> Finding {
    let is_late = |outcome: &&Item| outcome.updated_at.is_some_and(|at| at < now.minus(TELLING));
    let number = incomplete.iter().filter(is_late).count();
    if number == 0 {
        return Finding::ok("attempts", "every outcome has a complete notification");
    }
    Finding::problem(
        "attempts",
        format!("{} without a complete notification for minutes", count(number, "outcome")),
        "The bot or WhatsApp refuses them: the person, or the bot, does not know how it ended.",
        "Run wasf events test for the bot, and read the notifier's log; then run wasf events redeliver --confirm.",
    )
}

/// Attempts that nobody can read; `None` where there are none.
pub(super) fn unreadable(items: &[Unreadable]) -> Option<Finding> {
    let first = items.first()?;
    Some(Finding::note(
        "attempts",
        format!("{} of another form in the attempt table, first {}", count(items.len(), "item"), first.key),
        "Not written by this stack, or changed since. Nobody is notified of them.",
        "Run wasf attempt list for their keys, and find out who writes them.",
    ))
}

#[cfg(test)]
mod tests;
