//! token-keeper's errors and fields against `docs/API.md`, in both directions, and its answers as samples for
//! `docs/contract/openapi.yaml`.

use std::{collections::BTreeSet, time::Duration};

use contract::{API, Table, answer, assert_samples, requests, set};
use serde_json::Value;
use shared::{
    Language, Timestamp,
    attempt::{EndReason, Next, attr},
    conditional_write::{Attributes, Value as Stored},
    connection::{ACCESS_TOKEN, CONNECTED_AT, ENDED_AT, ENDED_REASON, REFRESHED_AT},
    custody::LiveToken,
    proof::ChatCode,
    web::{Content, Response},
};

use crate::{
    answer as answers,
    confirmations::{ConfirmationRequest, InvalidConfirmation, confirmed, messages},
    refusal::{Refusal, Unavailable, Unknown},
    request::{InvalidRequest, TokenRequest, chat},
    status::Standing,
};

const CHAT: &str = "whatsapp:+15551234567";

/// Every refusal. A new variant does not compile before it is here.
fn refusals() -> Vec<Refusal> {
    let all = [
        Refusal::UnknownRoute,
        Refusal::Unauthorised,
        Refusal::Invalid(InvalidRequest::Malformed),
        Refusal::NotConnected,
        Refusal::NeedsReauthorization {
            reason: Some(EndReason::Expired),
            relink_url: Some("https://example.com".to_owned()),
        },
        Refusal::BotCustody,
        Refusal::InvalidConfirmation(InvalidConfirmation::Malformed),
        Refusal::UnknownCode(Unknown::NoLogin),
        Refusal::WrongChat { is_confirmed: false, language: None },
        Refusal::TooManyGuesses,
        Refusal::Unavailable(Unavailable::Deadline),
    ];
    let is_listed = |refusal: &Refusal| match refusal {
        Refusal::UnknownRoute
        | Refusal::Unauthorised
        | Refusal::Invalid(_)
        | Refusal::NotConnected
        | Refusal::NeedsReauthorization { .. }
        | Refusal::BotCustody
        | Refusal::InvalidConfirmation(_)
        | Refusal::UnknownCode(_)
        | Refusal::WrongChat { .. }
        | Refusal::TooManyGuesses
        | Refusal::Unavailable(_) => true,
    };
    all.into_iter().filter(is_listed).collect()
}

#[test]
fn the_document_has_every_error_with_its_status_and_no_other() {
    let documented: BTreeSet<_> = Table::under(API, "## Errors")
        .rows(["endpoint", "status", "error"])
        .into_iter()
        .filter(|[endpoint, ..]| ["/connections", "/confirmations"].contains(&endpoint.as_str()))
        .collect();
    let sent = refusals().into_iter().flat_map(|refusal| {
        let endpoints =
            calls(&refusal).iter().map(|call| if *call == CONFIRMATIONS { "/confirmations" } else { "/connections" });
        let endpoints: BTreeSet<_> =
            if matches!(refusal, Refusal::UnknownRoute) { ["/connections"].into() } else { endpoints.collect() };
        let error = [refusal.status().to_string(), refusal.label().to_owned()];
        endpoints.into_iter().map(move |endpoint| {
            let [status, label] = error.clone();
            [endpoint.to_owned(), status, label]
        })
    });
    assert_eq!(documented, sent.collect());
}

#[test]
fn the_document_has_every_field_of_a_request_for_a_token() {
    let value = |name: &str| match name {
        "wa_id" => Value::from(CHAT),
        "rejected" => "0a".repeat(32).into(),
        "min_validity" => 60.into(),
        other => panic!("{other} is no field"),
    };
    let parse = |names: &BTreeSet<String>| {
        let fields: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), value(name))).collect();
        TokenRequest::parse(&serde_json::to_vec(&fields).unwrap())
    };
    let table = Table::under(API, "### Token request");
    let whole = parse(&table.column("field")).unwrap();
    assert_eq!((whole.rejected.is_some(), whole.min_validity), (true, Duration::from_mins(1)));
    let required = table.column_where("field", "", "required");
    assert!(parse(&required).is_ok());
    for name in &required {
        assert!(parse(&(&required - &set([name.as_str()]))).is_err(), "{name}");
    }
}

/// A row with all that an answer may name, connected or ended.
fn row(ended: bool) -> Attributes {
    let texts = [attr::USERNAME, attr::ORG_ID, attr::INSTANCE_URL, attr::SCOPE, attr::REFERENCE]
        .map(|name| (name, Stored::from("https://acme.my.salesforce.com")));
    let state = if ended {
        vec![(ENDED_AT, 5.into()), (ENDED_REASON, "expired".into())]
    } else {
        vec![(ACCESS_TOKEN, "x".into()), (CONNECTED_AT, 1.into()), (REFRESHED_AT, 2.into())]
    };
    texts.into_iter().filter(|(name, _)| !ended || *name != attr::SCOPE).chain(state).map(own).collect()
}

fn own((name, value): (&str, Stored)) -> (String, Stored) {
    (name.to_owned(), value)
}

#[test]
fn the_document_has_every_field_of_a_status_and_what_it_comes_with() {
    let documented = Table::under(API, "### Status response").rows(["field", "with"]);
    for (status, standing, row) in [
        ("never", Standing::Never, Attributes::new()),
        ("pending", Standing::Pending, Attributes::new()),
        ("unconfirmed", Standing::Unconfirmed, Attributes::new()),
        ("connected", Standing::of(&row(false)), row(false)),
        ("ended", Standing::of(&row(true)), row(true)),
    ] {
        let attempt = [(attr::REFERENCE, Stored::from("x"))].map(own).into();
        let answer = serde_json::to_value(standing.answer(&row, &attempt)).unwrap();
        assert_eq!(answer["status"], status);
        let with = documented.iter().filter(|[_, with]| with == "always" || with.contains(&format!("`{status}`")));
        let fields: BTreeSet<_> = with.map(|[field, _]| field.clone()).collect();
        // The cell of one status is code as a whole, which the table gives without its backticks.
        let alone = documented.iter().filter(|[_, with]| with == status).map(|[field, _]| field.clone());
        assert_eq!(set(answer.as_object().unwrap().keys()), &fields | &alone.collect(), "{status}");
    }
}

#[test]
fn the_document_has_every_status() {
    let documented = Table::under(API, "### Status values").column("status");
    let standings =
        [Standing::Never, Standing::Pending, Standing::Unconfirmed, Standing::Connected, Standing::Ended(None)];
    let rows = Attributes::new();
    assert_eq!(documented, set(standings.map(|standing| standing.answer(&rows, &rows).status)));
}

const CONFIRMATIONS: &str = "POST /confirmations";
const CALLS: [&str; 4] =
    ["POST /connections/token", "POST /connections/status", "POST /connections/disconnect", CONFIRMATIONS];

/// The calls that a refusal can be the answer to.
fn calls(refusal: &Refusal) -> &'static [&'static str] {
    match refusal {
        // API Gateway answers for a route that is not the function's.
        Refusal::UnknownRoute => &[],
        Refusal::Unauthorised | Refusal::Unavailable(_) => &CALLS,
        Refusal::Invalid(InvalidRequest::Malformed | InvalidRequest::WaId | InvalidRequest::TooLong) => &CALLS[..3],
        Refusal::Invalid(InvalidRequest::Rejected | InvalidRequest::MinValidity)
        | Refusal::NotConnected
        | Refusal::NeedsReauthorization { .. }
        | Refusal::BotCustody => &CALLS[..1],
        Refusal::InvalidConfirmation(_)
        | Refusal::UnknownCode(_)
        | Refusal::WrongChat { .. }
        | Refusal::TooManyGuesses => &CALLS[3..],
    }
}

/// Every answer to a connection that has ended.
fn ended() -> impl Iterator<Item = Refusal> {
    EndReason::ALL.map(Some).into_iter().chain([None]).map(|reason| {
        let has_link = reason.is_none_or(|reason| reason.next() == Next::Relink);
        let relink_url = has_link.then(|| "https://connect.example.com/connect/x".to_owned());
        Refusal::NeedsReauthorization { reason, relink_url }
    })
}

#[test]
fn the_samples_have_every_refusal() {
    let invalid =
        [InvalidRequest::WaId, InvalidRequest::TooLong, InvalidRequest::Rejected, InvalidRequest::MinValidity];
    let confirmations = [InvalidConfirmation::WaId, InvalidConfirmation::LongText, InvalidConfirmation::TooLong];
    let all = refusals().into_iter().chain(invalid.map(Refusal::Invalid)).chain(ended());
    let all = all.chain(confirmations.map(Refusal::InvalidConfirmation));
    let all = all.chain([Unknown::NoCode, Unknown::TooLate(None)].map(Refusal::UnknownCode));
    let all = all.chain([Refusal::WrongChat { is_confirmed: true, language: None }]);
    let samples = all.flat_map(|refusal| {
        let calls = calls(&refusal).iter();
        calls.map(|call| answer(call, &refusal.response(Language::English).into_event(false))).collect::<Vec<_>>()
    });
    assert_samples("token-keeper", &samples.collect::<Vec<_>>());
}

fn served(call: &str, status: u16, content: Content) -> String {
    answer(call, &Response { status, content, retry_after: None, cookies: Vec::new() }.into_event(false))
}

#[test]
fn the_samples_have_every_answer_with_all_that_can_be_known_and_with_the_least() {
    let [token, status, disconnect, confirmations] = CALLS;
    let least = LiveToken {
        access_token: "00Dxx!ACCESS".to_owned().into(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        issued_at: None,
        expires_at: None,
        scope: None,
    };
    let time = Some(Timestamp::from_millis(1_790_000_000_123));
    let full =
        LiveToken { issued_at: time, expires_at: time, scope: Some("api refresh_token".to_owned()), ..least.clone() };
    let mut samples = vec![served(token, 200, answers::token(&full)), served(token, 200, answers::token(&least))];
    let nothing = Attributes::new();
    let attempt = [(attr::REFERENCE, Stored::from("crm/contacts/4711"))].map(own).into();
    for (standing, row) in [
        (Standing::Never, Attributes::new()),
        (Standing::Pending, Attributes::new()),
        (Standing::Unconfirmed, Attributes::new()),
        (Standing::Connected, row(false)),
        (Standing::Ended(None), row(true)),
    ] {
        samples.push(served(status, 200, answers::json(&standing.answer(&row, &attempt))));
        samples.push(served(status, 200, answers::json(&standing.answer(&nothing, &nothing))));
    }
    for reason in EndReason::ALL {
        samples.push(served(status, 200, answers::json(&Standing::Ended(Some(reason)).answer(&row(true), &nothing))));
    }
    samples.push(served(disconnect, 204, Content::Nothing));
    samples.push(served(confirmations, 200, confirmed(messages::CONFIRMED, Language::English)));
    assert_samples("connections", &samples);
}

#[test]
fn each_request_among_the_samples_is_read_or_refused_as_it_says() {
    let mut read = 0;
    for call in CALLS {
        for (body, error) in requests(call) {
            let refused = match call {
                "POST /connections/token" => TokenRequest::parse(&body).err().map(Refusal::from),
                CONFIRMATIONS => ConfirmationRequest::parse(&body).err().map(Refusal::from),
                _ => chat(&body).err().map(Refusal::from),
            };
            let refused = refused.as_ref().map(Refusal::label);
            assert_eq!(refused, error.as_deref(), "{call} {}", String::from_utf8_lossy(&body));
            read += 1;
        }
    }
    assert!(read > 0);
}

#[test]
fn the_document_has_every_field_of_a_request_for_a_confirmation() {
    let parse = |names: &BTreeSet<String>| {
        let value = |name: &str| if name == "wa_id" { CHAT } else { "K7PW-4MXR" };
        let fields: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), value(name).into())).collect();
        ConfirmationRequest::parse(&serde_json::to_vec(&fields).unwrap())
    };
    let table = Table::under(API, "### Confirmation request");
    let required = table.column_where("field", "", "required");
    assert_eq!(required, table.column("field"));
    assert_eq!(parse(&required).unwrap().codes.len(), 1);
    for name in &required {
        assert!(parse(&(&required - &set([name.as_str()]))).is_err(), "{name}");
    }
}

#[test]
fn the_document_has_every_field_of_a_confirmation() {
    let Content::Json(confirmation) = confirmed(messages::CONFIRMED, Language::English) else { panic!("JSON") };
    let confirmation: serde_json::Map<_, _> = serde_json::from_str(&confirmation).unwrap();
    assert_eq!(Table::under(API, "### Confirmation response").column("field"), set(confirmation.keys()));
}

/// By this a bot knows a code: made of what the reader of codes takes, character by character.
#[test]
fn the_document_has_the_pattern_of_a_code() {
    let is_code = |text: String| !ChatCode::find(&text).is_empty();
    let taken = |with: &dyn Fn(char) -> String| -> Vec<char> {
        let characters = ('\0'..='\u{ffff}').filter(|character| !character.is_ascii_lowercase());
        characters.filter(|character| is_code(with(*character))).collect()
    };
    let class = |characters: &[char]| -> String {
        let shown = |character: &char| match *character {
            plain if plain == '-' || plain == ' ' || plain.is_ascii_alphanumeric() => plain.to_string(),
            other => format!("\\u{:04x}", u32::from(other)),
        };
        characters.iter().map(shown).collect()
    };
    let first = class(&taken(&|symbol| format!("{symbol}7PW4MXR")));
    let letters = |symbols: String| symbols.replace("23456789", "2-9");
    let other = letters(class(&taken(&|symbol| format!("K{symbol}PW4MXR"))));
    assert_eq!(other, format!("2-9{first}"));
    let mut separators = taken(&|separator| format!("K7PW{separator}4MXR"));
    // What nobody sees is dropped wherever it stands.
    separators.retain(|separator| !is_code(format!("K7{separator}PW-4MXR")));
    // In a class a hyphen stands first, or means a range.
    separators.sort_by_key(|separator| *separator != '-');
    // A space before a dash and behind it; never two dashes.
    let (spaces, dashes): (Vec<_>, Vec<_>) =
        separators.into_iter().partition(|separator| is_code(format!("K7PW{separator}-{separator}4MXR")));
    let (space, dash) = (class(&spaces), class(&dashes));
    let pattern = format!("(?<![^\\W_])[{first}][{other}]{{3}}[{space}]?[{dash}]?[{space}]?[{other}]{{4}}(?![^\\W_])");
    assert!(API.text().contains(&format!("\n{pattern}\n")), "docs/API.md lacks {pattern}");
}
