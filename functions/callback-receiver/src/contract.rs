//! The receiver's parameters and errors against `docs/API.md`, in both directions, and its answers as samples for
//! `docs/contract/openapi.yaml`.

use std::collections::BTreeSet;

use contract::{API, Table, answer, assert_samples, set};
use serde_json::Value;
use shared::{AttemptId, proof::ChatCode, web::Content};

use crate::{
    config::Proof,
    confirmation::Confirmation,
    refusal::Refusal,
    reply::{Reply, Step, tests::english},
};

fn confirmation() -> Confirmation {
    let proof = Proof { minutes: 10.try_into().unwrap(), bot: "+14155238886".parse().unwrap() };
    Confirmation { code: ChatCode::find("K7PW-4MXR").remove(0), number: None, proof }
}

/// Every reply: [`is_error`] does not compile with a variant that it has not heard of.
fn replies() -> Vec<Reply> {
    let id = AttemptId::from_bytes([7; 16]);
    vec![
        Reply::Denied(id),
        Reply::Failed(id),
        Reply::Unavailable,
        Reply::Refused(Refusal::MissingCode, None),
        Reply::Refused(Refusal::MissingState, None),
        Reply::Refused(Refusal::DuplicateParameter, None),
        Reply::Refused(Refusal::InvalidState, None),
        Reply::Refused(Refusal::ExpiredState, None),
        Reply::Refused(Refusal::WrongBrowser, None),
        Reply::Refused(Refusal::TooLong, None),
        Reply::Used(id, None),
        Reply::Accepted(id, Step::Wait(None)),
        Reply::Repeated(id, Step::Wait(None)),
        Reply::Accepted(id, Step::Confirm(confirmation())),
        Reply::Repeated(id, Step::Confirm(confirmation())),
        Reply::Reloaded(id, Step::Wait(None)),
        Reply::Reloaded(id, Step::Confirm(confirmation())),
        Reply::Used(id, Some(confirmation())),
        Reply::Head,
    ]
}

fn is_error(reply: &Reply) -> bool {
    match reply {
        Reply::Denied(_)
        | Reply::Failed(_)
        | Reply::Used(..)
        | Reply::Unavailable
        | Reply::Refused(
            Refusal::MissingCode
            | Refusal::MissingState
            | Refusal::DuplicateParameter
            | Refusal::InvalidState
            | Refusal::ExpiredState
            | Refusal::WrongBrowser
            | Refusal::TooLong,
            _,
        ) => true,
        Reply::Accepted(_, Step::Wait(_) | Step::Confirm(_))
        | Reply::Repeated(_, Step::Wait(_) | Step::Confirm(_))
        | Reply::Reloaded(..)
        | Reply::Head => false,
    }
}

fn json(reply: &Reply) -> (u16, Value) {
    let response = reply.to_response(true, english(None));
    match response.content {
        Content::Json(text) => (response.status, serde_json::from_str(&text).unwrap()),
        other => panic!("no JSON: {other:?}"),
    }
}

#[test]
fn the_document_has_every_error_with_its_status_and_no_other() {
    let documented: BTreeSet<_> = Table::under(API, "## Errors")
        .rows(["endpoint", "status", "error"])
        .into_iter()
        .filter(|[endpoint, ..]| endpoint == "/callback")
        .collect();
    let sent = replies().into_iter().filter(is_error).map(|reply| {
        let (status, body) = json(&reply);
        ["/callback".to_owned(), status.to_string(), body["error"].as_str().unwrap().to_owned()]
    });
    assert_eq!(documented, sent.collect());
}

#[test]
fn the_document_has_every_parameter_that_is_read_and_no_other() {
    assert_eq!(Table::under(API, "## Callback").column("parameter"), set(crate::callback::PARAMETERS));
}

#[test]
fn the_samples_have_every_answer_for_a_program() {
    let replies = replies().into_iter().filter(|reply| !matches!(reply, Reply::Head));
    let answers =
        replies.map(|reply| answer("GET /callback", &reply.to_response(true, english(None)).into_event(false)));
    assert_samples("callback-receiver", &answers.collect::<Vec<_>>());
}
