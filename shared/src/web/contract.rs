//! The headers of every answer against `docs/API.md`, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use ::contract::{API, Table, set};

use super::{tests::a_page, *};

/// A header as sent, by its name; cookies are sent in one of their own.
fn headers(content: Content, retry_after: Option<u16>) -> BTreeMap<String, String> {
    let cookies = match content {
        Content::Redirect { .. } => vec!["a=b".to_owned()],
        _ => Vec::new(),
    };
    let event = Response { status: 200, content, retry_after, cookies }.into_event(false);
    let sent = event.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    sent.chain(event.cookies.into_iter().map(|cookie| ("set-cookie".to_owned(), cookie))).collect()
}

fn documented(on: &str) -> BTreeSet<String> {
    Table::under(API, "## Headers").column_where("header", "on", on)
}

fn contents() -> [Content; 6] {
    [
        Content::Nothing,
        Content::Json("{}".to_owned()),
        Content::Page(a_page()),
        Content::Text("text"),
        Content::Form { page: a_page(), form_action: "'self'".to_owned() },
        Content::Redirect { location: "https://example.com".to_owned() },
    ]
}

#[test]
fn the_document_has_every_header_of_every_answer_and_no_other() {
    let everywhere = documented("every answer");
    let with_content = &everywhere | &documented("every answer but `204`");
    for content in contents() {
        let wanted = match content {
            Content::Nothing => everywhere.clone(),
            Content::Redirect { .. } => &with_content | &documented("303"),
            _ => with_content.clone(),
        };
        assert_eq!(set(headers(content, None).into_keys()), wanted);
    }
    let unavailable = set(headers(Content::Page(a_page()), Some(3)).into_keys());
    assert_eq!(unavailable, &with_content | &documented("`503`, and `429` of `/confirmations`"));
}

#[test]
fn the_document_has_the_value_of_each_header_that_never_changes() {
    let table: BTreeMap<_, _> = Table::under(API, "## Headers")
        .rows(["header", "value"])
        .into_iter()
        .map(|[name, value]| (name, value))
        .collect();
    for (name, value) in SECURITY_HEADERS {
        assert!(table[name].contains(value), "{name}: {value}");
    }
    for content in contents() {
        let sent = headers(content, None);
        let content_type = sent.get("content-type").map_or("", String::as_str);
        assert!(table["content-type"].contains(content_type), "{content_type}");
        assert!(table["referrer-policy"].contains(&sent["referrer-policy"]), "{}", sent["referrer-policy"]);
    }
}
