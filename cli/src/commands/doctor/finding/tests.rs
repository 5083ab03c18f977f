use super::*;

const OWN: &str = "https://api.execute-api.us-east-1.amazonaws.com/callback";

fn level(finding: &Finding) -> Level {
    assert_eq!(finding.remedy.is_empty(), finding.level == Level::Ok, "{finding:?}");
    assert_eq!(finding.meaning.is_empty(), finding.level == Level::Ok, "{finding:?}");
    finding.level
}

#[test]
fn an_unreadable_attempt_is_named_by_its_key() {
    assert_eq!(unreadable(&[]), None);
    let found = unreadable(&[Unreadable { key: "0707".to_owned(), why: "no status".to_owned() }]).unwrap();
    assert!(level(&found) == Level::Note && found.title.contains("0707"), "{found:?}");
}

#[test]
fn what_another_finding_explains_is_no_second_problem() {
    let missing = Error::NothingMatched("the secret s is missing".to_owned());
    assert_eq!(level(&unchecked("whatsapp", &missing)), Level::Note);
    assert_eq!(level(&unchecked("whatsapp", &Error::failed("read", "AccessDenied"))), Level::Problem);
}

#[test]
fn all_functions_must_have_the_same_callback_url() {
    let with = |a: &str, b: &str| level(&callback(&[("a", a.to_owned()), ("b", b.to_owned())], OWN));
    assert_eq!(with(OWN, OWN), Level::Ok);
    assert_eq!(with("https://connect.example.com/callback", "https://connect.example.com/callback"), Level::Ok);
    assert_eq!(with(OWN, "https://other.example.com/callback"), Level::Problem);
    assert_eq!(with("http://example.com/callback", "http://example.com/callback"), Level::Problem);
    assert_eq!(with("https://example.com/", "https://example.com/"), Level::Problem);
}

#[test]
fn a_page_that_does_not_open_means_that_the_callback_leads_elsewhere() {
    assert_eq!(level(&page(OWN, Probe::Status(200))), Level::Ok);
    assert_eq!(level(&page(OWN, Probe::Status(404))), Level::Problem);
    assert_eq!(level(&page(OWN, Probe::NoResponse("connection failed"))), Level::Problem);
}

#[test]
fn a_page_of_somebody_elses_in_place_of_a_links_is_a_problem_that_says_what_it_may_be() {
    let parked = page(OWN, Probe::Foreign(200, "another page"));
    assert!(level(&parked) == Level::Problem && parked.title.contains("another page answers (200)"), "{parked:?}");
    assert!(parked.remedy.contains("Map the domain") && parked.remedy.contains("maintenance"), "{parked:?}");
}

#[test]
fn a_login_host_is_https_or_on_this_machine() {
    let given = ["https://login.salesforce.com, http://localhost:1", "http://localhost:1,http://example.com"];
    let levels: Vec<_> = login_urls(given).iter().map(level).collect();
    assert_eq!(levels, [Level::Ok, Level::Ok, Level::Problem]);
}

#[test]
fn the_visibility_timeout_is_six_times_the_functions_timeout() {
    assert_eq!(level(&visibility(180, 30)), Level::Ok);
    assert_eq!(level(&visibility(179, 30)), Level::Problem);
}

#[test]
fn a_function_needs_an_enabled_event_source() {
    let source = |state: &str| EventSource {
        state: state.to_owned(),
        source_arn: "arn:aws:sqs:us-east-1:123456789012:exchange".to_owned(),
        id: "uuid".to_owned(),
    };
    assert_eq!(level(&event_sources("f", &[])[0]), Level::Problem);
    assert_eq!(level(&event_sources("f", &[source("Enabled")])[0]), Level::Ok);
    let disabled = &event_sources("f", &[source("Disabled")])[0];
    assert_eq!(level(disabled), Level::Problem);
    assert!(disabled.title.starts_with("exchange does not invoke f"), "{}", disabled.title);
}

#[test]
fn a_webhook_refuses_unsigned_requests() {
    for (status, expected) in [
        (401, Level::Ok),
        (400, Level::Ok),
        (200, Level::Note),
        (404, Level::Problem),
        (405, Level::Problem),
        (302, Level::Problem),
        (503, Level::Problem),
        (408, Level::Note),
        (429, Level::Note),
        (415, Level::Note),
    ] {
        assert_eq!(level(&webhook(Probe::Status(status))), expected, "{status}");
    }
    assert_eq!(level(&webhook(Probe::NoResponse("connection failed"))), Level::Problem);
}

#[test]
fn what_may_be_before_a_webhook_says_nothing_of_the_bot() {
    for (status, what) in [(200, "with a page"), (401, "with JSON"), (400, "without content")] {
        let found = webhook(Probe::Foreign(status, what));
        assert!(level(&found) == Level::Note && found.remedy.contains("wasf events test"), "{found:?}");
        assert_eq!(found.title, format!("not known: the bot's webhook returns {status} {what}"));
    }
    // Whoever answers so: no event gets through.
    for status in [302, 404, 503] {
        assert_eq!(level(&webhook(Probe::Foreign(status, "with a page"))), Level::Problem, "{status}");
    }
}

#[test]
fn who_is_too_busy_to_answer_proves_nothing() {
    for status in [408, 429] {
        for found in [webhook(Probe::Status(status)), page(OWN, Probe::Status(status))] {
            assert!(level(&found) == Level::Note && found.meaning.contains("unknown"), "{found:?}");
        }
    }
}

#[test]
fn a_key_that_a_function_may_not_use_says_what_that_function_stops() {
    let meaning = |function| key_denied(function, "kms:Sign", "StateKey", "why").meaning;
    assert!(meaning("Notifier").contains("People connect") && meaning("TokenExchanger").contains("nobody can connect"));
}

#[test]
fn credentials_are_ok_only_where_the_provider_accepts_them() {
    assert_eq!(level(&whatsapp("Twilio", "whatsapp", CredentialStatus::Accepted)), Level::Ok);
    for status in
        [CredentialStatus::Refused(20_003), CredentialStatus::Malformed, CredentialStatus::NoAnswer("timed out")]
    {
        assert_eq!(level(&whatsapp("Twilio", "whatsapp", status)), Level::Problem);
    }
    let unclear = whatsapp("Twilio", "whatsapp", CredentialStatus::Unclear("status 200 with a page".to_owned()));
    assert!(
        level(&unclear) == Level::Note && unclear.title.starts_with("not known: Twilio did not say"),
        "{unclear:?}"
    );
}

#[test]
fn every_subscription_to_alarms_must_be_confirmed() {
    let found = |confirmed, pending| level(&alarms(Subscriptions { confirmed, pending }));
    assert_eq!(found(1, 0), Level::Ok);
    assert_eq!(found(0, 0), Level::Note);
    assert_eq!(found(1, 1), Level::Problem);
}

#[test]
fn an_app_that_salesforce_refuses_is_a_problem() {
    assert_eq!(level(&app("h", &AppStatus::Accepted)), Level::Ok);
    let mismatch = app("h", &AppStatus::Refused("redirect_uri_mismatch".to_owned()));
    assert!(level(&mismatch) == Level::Problem && mismatch.remedy.contains("CallbackUrl"));
    assert_eq!(level(&app("h", &AppStatus::NoAnswer("connection failed"))), Level::Problem);
}

#[test]
fn an_answer_that_says_nothing_of_the_app_is_neither_a_yes_nor_a_no() {
    let unclear = app("h", &AppStatus::Unclear("status 200 with a page".to_owned()));
    assert!(level(&unclear) == Level::Note && unclear.title.contains("(status 200 with a page)"), "{unclear:?}");
    assert!(unclear.title.starts_with("not known: h did not say whether it accepts the app"), "{unclear:?}");
}

#[test]
fn a_queue_of_failures_must_be_empty() {
    assert_eq!(level(&queue("dead letters", 0, "m", "x")), Level::Ok);
    assert_eq!(level(&queue("dead letters", 2, "m", "x")), Level::Problem);
    assert_eq!((level(&stuck(0)), level(&stuck(1))), (Level::Ok, Level::Problem));
}

#[test]
fn an_outcome_that_nobody_was_told_of_for_minutes_is_a_problem() {
    let outcome = |updated_at: u64| crate::records::tests::attempt(&json!({"updated_at": updated_at}));
    let now = Timestamp::from_millis(1_790_000_300_000);
    assert_eq!(untold(&[outcome(1_790_000_000_000)], now).level, Level::Ok);
    let late = untold(&[outcome(1_789_999_999_999), outcome(1_790_000_200_000)], now);
    assert!(late.is_problem() && late.title.starts_with("1 outcome "), "{late:?}");
}
