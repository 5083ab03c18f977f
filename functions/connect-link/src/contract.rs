//! connect-link's errors against `docs/API.md`, in both directions, and as samples for `docs/contract/openapi.yaml`.

use std::collections::BTreeSet;

use contract::{API, Table, answer, assert_samples, requests, set};
use shared::{
    Language, LinkId,
    language::InvalidLanguageTag,
    page::{Brand, Frame},
    reference::InvalidReference,
    web::{Content, Response},
};

use crate::{
    link_request::{InvalidLinkRequest, LinkRequest},
    login_status::LoginStatus,
    notice,
    refusal::{OfLink, Refusal, Unavailable},
};

/// Every refusal, with the endpoints that answer it. A new variant does not compile before it is here.
fn refusals() -> Vec<(Refusal, &'static [&'static str])> {
    let all = [
        Refusal::UnknownRoute,
        Refusal::Unauthorised,
        Refusal::LinkRequest(InvalidLinkRequest::Malformed),
        Refusal::LinkRequest(InvalidLinkRequest::WaId),
        Refusal::LinkRequest(InvalidLinkRequest::LoginUrl),
        Refusal::LinkRequest(InvalidLinkRequest::Reference(InvalidReference)),
        Refusal::LinkRequest(InvalidLinkRequest::Language(InvalidLanguageTag)),
        Refusal::LinkRequest(InvalidLinkRequest::TooLong),
        Refusal::NotALink,
        Refusal::Expired(None),
        Refusal::TooManyPresses(OfLink { link_id: LinkId::from_bytes([7; 16]), language: None }),
        Refusal::UnknownLogin,
        Refusal::CrossSite(None),
        Refusal::Unavailable(Unavailable::Deadline),
    ];
    let endpoints = |refusal: &Refusal| -> &'static [&'static str] {
        match refusal {
            Refusal::Unauthorised
            | Refusal::LinkRequest(
                InvalidLinkRequest::Malformed
                | InvalidLinkRequest::WaId
                | InvalidLinkRequest::LoginUrl
                | InvalidLinkRequest::Reference(_)
                | InvalidLinkRequest::Language(_)
                | InvalidLinkRequest::TooLong,
            ) => &["/links"],
            Refusal::UnknownRoute => &["any other"],
            Refusal::NotALink
            | Refusal::Expired(_)
            | Refusal::TooManyPresses(_)
            | Refusal::UnknownLogin
            | Refusal::CrossSite(_) => &["/connect"],
            Refusal::Unavailable(_) => &["/links", "/connect"],
        }
    };
    all.into_iter().map(|refusal| (endpoints(&refusal), refusal)).map(|(at, refusal)| (refusal, at)).collect()
}

#[test]
fn the_document_has_every_error_with_its_status_and_no_other() {
    let documented: BTreeSet<_> = Table::under(API, "## Errors")
        .rows(["endpoint", "status", "error"])
        .into_iter()
        .filter(|[endpoint, ..]| ["/links", "/connect", "any other"].contains(&endpoint.as_str()))
        .collect();
    let sent = refusals().into_iter().flat_map(|(refusal, endpoints)| {
        let answer = refusal.explain();
        endpoints
            .iter()
            .map(move |endpoint| [(*endpoint).to_owned(), answer.status.to_string(), answer.label.to_owned()])
    });
    assert_eq!(documented, sent.collect());
}

#[test]
fn the_document_has_every_field_of_a_request_for_a_link() {
    let body = |names: &BTreeSet<String>| {
        let value = |name: &str| match name {
            "wa_id" => "whatsapp:+15551234567",
            "language" => "hi",
            _ => "https://login.salesforce.com",
        };
        let fields: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), value(name).into())).collect();
        serde_json::to_vec(&fields).unwrap()
    };
    let allowed = "https://test.salesforce.com,https://login.salesforce.com".parse().unwrap();
    let table = Table::under(API, "### Request");
    let required = table.column_where("field", "", "required");
    let parsed = LinkRequest::parse(&body(&table.column("field")), &allowed).unwrap();
    assert_eq!(parsed.login_url.as_str(), "https://login.salesforce.com");
    assert!(parsed.reference.is_some() && parsed.language.is_some());
    assert!(LinkRequest::parse(&body(&required), &allowed).is_ok());
    for name in &required {
        let without = &required - &set([name.as_str()]);
        assert!(LinkRequest::parse(&body(&without), &allowed).is_err(), "{name}");
    }
}

#[test]
fn the_samples_have_every_refusal_for_a_program() {
    let calls = |refusal: &Refusal| -> &[&str] {
        match refusal {
            Refusal::Unauthorised | Refusal::LinkRequest(_) => &["POST /links"],
            // The file has no path for it.
            Refusal::UnknownRoute => &[],
            Refusal::NotALink | Refusal::Expired(_) => &["GET /connect/{link}", "POST /connect/{link}"],
            Refusal::TooManyPresses(_) | Refusal::CrossSite(_) => &["POST /connect/{link}"],
            Refusal::UnknownLogin => &["POST /connect/status"],
            Refusal::Unavailable(_) => {
                &["POST /links", "GET /connect/{link}", "POST /connect/{link}", "POST /connect/status"]
            }
        }
    };
    let refusals = refusals().into_iter().flat_map(|(refusal, _)| {
        let calls = calls(&refusal).iter();
        calls.map(|call| answer(call, &refused(&refusal).into_event(false))).collect::<Vec<_>>()
    });
    assert_samples("connect-link", &refusals.collect::<Vec<_>>());
}

#[test]
fn the_samples_have_every_status_of_a_login() {
    let (brand, bot) = (Brand::default(), "+14155238886".parse().unwrap());
    let answers = LoginStatus::ALL.into_iter().map(|status| {
        let frame = Frame { brand: &brand, language: Language::English, bot: Some(&bot) };
        let content = Content::Json(notice::answer(status, frame).to_string());
        let response = Response { status: 200, content, retry_after: None, cookies: Vec::new() };
        answer("POST /connect/status", &response.into_event(false))
    });
    assert_samples("login-status", &answers.collect::<Vec<_>>());
}

fn refused(refusal: &Refusal) -> Response {
    let (status, content) = (refusal.explain().status, Content::Json(refusal.json()));
    Response { status, content, retry_after: refusal.retry_after(), cookies: Vec::new() }
}

#[test]
fn each_request_among_the_samples_is_read_or_refused_as_it_says() {
    let allowed = "https://login.salesforce.com,https://test.salesforce.com".parse().unwrap();
    let requests = requests("POST /links");
    assert!(!requests.is_empty());
    for (body, error) in requests {
        let refused = LinkRequest::parse(&body, &allowed).err().map(|error| Refusal::from(error).explain().label);
        assert_eq!(refused, error.as_deref(), "{}", String::from_utf8_lossy(&body));
    }
}
