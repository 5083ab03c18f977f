//! What a doctor finds, and how that is judged. Pure: the examinations are in [`super::examination`].

use std::collections::HashSet;

use serde_json::{Value, json};
use shared::{CallbackUri, LoginUrl};

use crate::{
    aws::{EventSource, Presence, Subscriptions},
    error::Error,
    parties::{AppStanding, Probe, Standing},
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Well,
    /// Worth knowing, and no fault.
    Note,
    Wrong,
}

/// What was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Which examination.
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) text: String,
    /// What to do; empty where there is nothing.
    pub(super) remedy: String,
}

impl Level {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }
}

impl Finding {
    pub(super) fn well(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Well, text: text.into(), remedy: String::new() }
    }

    pub(super) fn note(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Note, text: text.into(), remedy: remedy.into() }
    }

    pub(super) fn wrong(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Wrong, text: text.into(), remedy: remedy.into() }
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.level == Level::Wrong
    }

    pub(super) fn json(&self) -> Value {
        json!({"check": self.check, "level": self.level.as_str(), "text": self.text, "remedy": self.remedy})
    }
}

/// An examination that could not be made: for want of what another one finds missing, or for a fault of its own.
pub(super) fn unexamined(check: &'static str, error: &Error) -> Finding {
    match error {
        Error::NothingMatched(why) => Finding::note(check, format!("not examined: {why}"), "mend that first"),
        _ => Finding::wrong(check, error.to_string(), "see to it that these credentials may ask, and try again"),
    }
}

pub(super) fn secret(name: &str, presence: Presence) -> Finding {
    let check = "secrets";
    match presence {
        Presence::There => Finding::well(check, format!("the secret {name} is there")),
        Presence::Absent => Finding::wrong(
            check,
            format!("the secret {name} is missing"),
            format!("make it: `wasf init`, or aws secretsmanager create-secret --name {name} …"),
        ),
        Presence::Deleted => Finding::wrong(
            check,
            format!("the secret {name} is deleted"),
            format!("restore it: aws secretsmanager restore-secret --secret-id {name}"),
        ),
    }
}

/// The callback address of each function that has one, against the stack's own.
pub(super) fn callback(given: &[(&str, String)], own: &str) -> Finding {
    let check = "callback";
    let (_, first) = &given[0];
    if let Some((function, other)) = given.iter().find(|(_, uri)| uri != first) {
        return Finding::wrong(
            check,
            format!("{} has the callback address {first}, and {function} has {other}", given[0].0),
            "deploy again: all functions must have the same CallbackUri",
        );
    }
    match first.parse::<CallbackUri>() {
        Err(why) => Finding::wrong(
            check,
            format!("the callback address {first} is unusable: {why}"),
            "give CallbackUri (or its secret) in the form https://host/callback, and deploy",
        ),
        Ok(_) if first == own => Finding::well(check, format!("the callback address is this API's own, {first}")),
        // Whether it leads here shows when the page behind a link is opened.
        Ok(_) => Finding::well(check, format!("the callback address is {first}, on a domain of yours")),
    }
}

/// Whether the page behind a link that this stack's API made opens at the callback's address.
pub(super) fn page(callback: &str, probe: Probe) -> Finding {
    match probe {
        Probe::Answered(200) => Finding::well("callback", "a link is made, and its page opens beside the callback"),
        Probe::Answered(status @ 500..) => Finding::wrong(
            "callback",
            format!("the page of a link answers {status}"),
            "the log of connect-link says why",
        ),
        Probe::Answered(_) | Probe::NoAnswer(_) => {
            let how = match probe {
                Probe::Answered(status) => format!("it answers {status}"),
                Probe::NoAnswer(why) => why.to_owned(),
            };
            Finding::wrong(
                "callback",
                format!(
                    "the callback address {callback} differs from this stack's API: a link's page does not open there ({how})"
                ),
                "map the domain to this API (output ApiId), or leave CallbackUri empty; then put CallbackUrl into the Salesforce app",
            )
        }
    }
}

/// The login addresses of all functions, each once.
pub(super) fn login_urls<'a>(given: impl IntoIterator<Item = &'a str>) -> Vec<Finding> {
    let judge = |url: &str| match url.parse::<LoginUrl>() {
        Ok(_) => Finding::well("login-urls", format!("people may log in at {url}")),
        Err(why) => Finding::wrong(
            "login-urls",
            format!("the login address {url} is unusable: {why}"),
            "correct LoginUrls (https://host, with commas between), and deploy",
        ),
    };
    let mut seen = HashSet::new();
    let urls = given.into_iter().flat_map(|text| text.split(',')).map(str::trim);
    urls.filter(|url| seen.insert(*url)).map(judge).collect()
}

pub(super) fn visibility(visibility_seconds: u64, timeout_seconds: u64) -> Finding {
    let least = 6 * timeout_seconds;
    if visibility_seconds >= least {
        return Finding::well("visibility", format!("the exchange queue hides a message for {visibility_seconds} s"));
    }
    Finding::wrong(
        "visibility",
        format!(
            "the exchange queue hides a message for {visibility_seconds} s, less than six times the exchanger's time-out of {timeout_seconds} s: a code may be tried twice at once"
        ),
        format!("deploy again, or set the queue's VisibilityTimeout to {least}"),
    )
}

pub(super) fn event_sources(function: &str, sources: &[EventSource]) -> Vec<Finding> {
    let check = "event-sources";
    if sources.is_empty() {
        return vec![Finding::wrong(check, format!("nothing invokes {function}"), "deploy again")];
    }
    let judge = |source: &EventSource| {
        let from = source.source_arn.split(':').skip(5).collect::<Vec<_>>().join(":");
        match source.state.as_str() {
            "Enabled" | "Enabling" | "Updating" | "Creating" => {
                Finding::well(check, format!("{from} invokes {function}"))
            }
            state => Finding::wrong(
                check,
                format!("{from} does not invoke {function}: the mapping is {state}"),
                format!("aws lambda update-event-source-mapping --uuid {} --enabled", source.id),
            ),
        }
    };
    sources.iter().map(judge).collect()
}

pub(super) fn webhook(probe: Probe) -> Finding {
    let check = "webhook";
    let wrong = |how: String| {
        let remedy = "correct BotWebhookUrl and deploy, or mend the bot; then `wasf events redeliver`";
        Finding::wrong(check, format!("the bot's webhook {how}"), remedy)
    };
    match probe {
        Probe::NoAnswer(why) => wrong(format!("does not answer ({why})")),
        Probe::Answered(status @ (404 | 405 | 410)) => wrong(format!("answers {status}: nothing takes events there")),
        Probe::Answered(status @ 300..400) => wrong(format!("answers {status}: a redirect is not followed")),
        Probe::Answered(status @ 500..) => wrong(format!("answers {status}")),
        Probe::Answered(200..300) => Finding::note(
            check,
            "the bot's webhook takes a request without a signature",
            "let the bot verify webhook-signature (Standard Webhooks), or anybody can tell it of connections",
        ),
        Probe::Answered(status) => {
            Finding::well(check, format!("the bot's webhook answers, and takes nothing unsigned ({status})"))
        }
    }
}

pub(super) fn whatsapp(provider: &str, secret: &str, standing: Standing) -> Finding {
    let check = "whatsapp";
    match standing {
        Standing::Good => Finding::well(check, format!("{provider} takes the credentials")),
        Standing::Refused(status) => Finding::wrong(
            check,
            format!("{provider} refuses the credentials ({status})"),
            format!("put the account's present ones into the secret {secret}; they are used within five minutes"),
        ),
        Standing::Unusable => Finding::wrong(
            check,
            format!("the secret {secret} is not in {provider}'s form"),
            "see README, Deploy: the JSON that each provider needs",
        ),
        Standing::Unclear(why) => Finding::wrong(
            check,
            format!("whether {provider} takes the credentials is not clear: {why}"),
            "look at the provider's status page, and try again",
        ),
    }
}

pub(super) fn app(host: &str, standing: &AppStanding) -> Finding {
    let check = "salesforce";
    match standing {
        AppStanding::Welcome => Finding::well(check, format!("{host} knows the app and its callback address")),
        AppStanding::Refused(word) => {
            let remedy = match word.as_str() {
                "redirect_uri_mismatch" => "put the output CallbackUrl into the Salesforce app, letter by letter",
                "invalid_client_id" => {
                    "put the app's consumer key into its secret; a new app is known after some minutes"
                }
                _ => "compare the app's OAuth settings with what `wasf init` prints",
            };
            Finding::wrong(check, format!("{host} refuses the app: {word}"), remedy)
        }
        AppStanding::Unclear(why) => {
            Finding::wrong(check, format!("{host} does not tell about the app: {why}"), "try again later")
        }
    }
}

pub(super) fn alarms(found: Subscriptions) -> Finding {
    let check = "alarms";
    match found {
        Subscriptions { pending: 0, confirmed: 0 } => {
            Finding::note(check, "nobody hears of alarms", "give AlarmEmail and deploy, or subscribe to the topic")
        }
        Subscriptions { pending: 0, confirmed } => Finding::well(check, format!("{confirmed} hear of alarms")),
        Subscriptions { pending, .. } => Finding::wrong(
            check,
            format!("{pending} of those who are to hear of alarms have never confirmed it"),
            "open the link in the e-mail of AWS Notifications, or subscribe again",
        ),
    }
}

pub(super) fn queue(what: &str, number: usize, remedy: &str) -> Finding {
    if number == 0 {
        Finding::well("queues", format!("no {what}"))
    } else {
        Finding::wrong("queues", format!("{number} {what}"), remedy)
    }
}

pub(super) fn stuck(number: usize) -> Finding {
    if number == 0 {
        return Finding::well("attempts", "no attempt is held by an exchanger that is gone");
    }
    Finding::wrong(
        "attempts",
        format!("{number} attempts are held by an exchanger that is gone"),
        "they are taken up by the queue's next delivery; `wasf attempt list --status exchanging`, `wasf dlq list`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://api.execute-api.us-east-1.amazonaws.com/callback";

    fn level(finding: &Finding) -> Level {
        assert_eq!(finding.remedy.is_empty(), finding.level == Level::Well, "{finding:?}");
        finding.level
    }

    #[test]
    fn a_secret_must_be_there_and_not_deleted() {
        assert_eq!(level(&secret("s", Presence::There)), Level::Well);
        assert_eq!(level(&secret("s", Presence::Absent)), Level::Wrong);
        assert_eq!(level(&secret("s", Presence::Deleted)), Level::Wrong);
    }

    #[test]
    fn what_another_finding_explains_is_not_wrong_a_second_time() {
        let missing = Error::NothingMatched("the secret s is missing".to_owned());
        assert_eq!(level(&unexamined("whatsapp", &missing)), Level::Note);
        assert_eq!(level(&unexamined("whatsapp", &Error::failed("read", "it is denied"))), Level::Wrong);
    }

    #[test]
    fn all_functions_must_have_one_callback_address() {
        let with = |a: &str, b: &str| level(&callback(&[("a", a.to_owned()), ("b", b.to_owned())], OWN));
        assert_eq!(with(OWN, OWN), Level::Well);
        assert_eq!(with("https://connect.example.com/callback", "https://connect.example.com/callback"), Level::Well);
        assert_eq!(with(OWN, "https://other.example.com/callback"), Level::Wrong);
        assert_eq!(with("http://example.com/callback", "http://example.com/callback"), Level::Wrong);
        assert_eq!(with("https://example.com/", "https://example.com/"), Level::Wrong);
    }

    #[test]
    fn a_page_that_does_not_open_says_that_the_callback_is_elsewhere() {
        assert_eq!(level(&page(OWN, Probe::Answered(200))), Level::Well);
        assert_eq!(level(&page(OWN, Probe::Answered(404))), Level::Wrong);
        assert_eq!(level(&page(OWN, Probe::NoAnswer("no connection"))), Level::Wrong);
    }

    #[test]
    fn a_login_address_is_https_or_on_this_machine() {
        let given = ["https://login.salesforce.com, http://localhost:1", "http://localhost:1,http://example.com"];
        let levels: Vec<_> = login_urls(given).iter().map(level).collect();
        assert_eq!(levels, [Level::Well, Level::Well, Level::Wrong]);
    }

    #[test]
    fn visibility_is_six_times_the_time_out() {
        assert_eq!(level(&visibility(180, 30)), Level::Well);
        assert_eq!(level(&visibility(179, 30)), Level::Wrong);
    }

    #[test]
    fn a_function_needs_something_that_invokes_it() {
        let source = |state: &str| EventSource {
            state: state.to_owned(),
            source_arn: "arn:aws:sqs:us-east-1:123456789012:exchange".to_owned(),
            id: "uuid".to_owned(),
        };
        assert_eq!(level(&event_sources("f", &[])[0]), Level::Wrong);
        assert_eq!(level(&event_sources("f", &[source("Enabled")])[0]), Level::Well);
        let disabled = &event_sources("f", &[source("Disabled")])[0];
        assert_eq!(level(disabled), Level::Wrong);
        assert!(disabled.text.starts_with("exchange does not invoke f"), "{}", disabled.text);
    }

    #[test]
    fn a_webhook_refuses_what_is_not_signed() {
        for (status, expected) in [
            (401, Level::Well),
            (400, Level::Well),
            (200, Level::Note),
            (404, Level::Wrong),
            (405, Level::Wrong),
            (302, Level::Wrong),
            (503, Level::Wrong),
        ] {
            assert_eq!(level(&webhook(Probe::Answered(status))), expected, "{status}");
        }
        assert_eq!(level(&webhook(Probe::NoAnswer("no connection"))), Level::Wrong);
    }

    #[test]
    fn a_credential_is_good_only_where_the_provider_says_so() {
        assert_eq!(level(&whatsapp("Twilio", "whatsapp", Standing::Good)), Level::Well);
        for standing in [Standing::Refused(401), Standing::Unusable, Standing::Unclear("it is too busy")] {
            assert_eq!(level(&whatsapp("Twilio", "whatsapp", standing)), Level::Wrong);
        }
    }

    #[test]
    fn an_alarm_must_reach_whom_it_is_meant_for() {
        let found = |confirmed, pending| level(&alarms(Subscriptions { confirmed, pending }));
        assert_eq!(found(1, 0), Level::Well);
        assert_eq!(found(0, 0), Level::Note);
        assert_eq!(found(1, 1), Level::Wrong);
    }

    #[test]
    fn a_salesforce_that_knows_the_app_shows_its_login() {
        assert_eq!(level(&app("h", &AppStanding::Welcome)), Level::Well);
        let mismatch = app("h", &AppStanding::Refused("redirect_uri_mismatch".to_owned()));
        assert!(level(&mismatch) == Level::Wrong && mismatch.remedy.contains("CallbackUrl"));
    }

    #[test]
    fn a_queue_of_failures_is_to_be_empty() {
        assert_eq!(level(&queue("dead letters", 0, "x")), Level::Well);
        assert_eq!(level(&queue("dead letters", 2, "x")), Level::Wrong);
        assert_eq!((level(&stuck(0)), level(&stuck(1))), (Level::Well, Level::Wrong));
    }
}
