//! The fields of `connection.revoked` against `docs/EVENTS.md`, in both directions.

use ::contract::{EVENTS, Table, set};

use super::*;
use crate::records::connection::example;

#[test]
fn the_document_has_every_field_of_a_test_event() {
    let wa_id = "whatsapp:+00000000".parse().unwrap();
    let event = CloudEvent::new("evt_test_1".to_owned(), Timestamp::from_millis(1), Data::Test(Test { wa_id: &wa_id }));
    let sent = serde_json::to_value(event).unwrap();
    assert_eq!(Table::under(EVENTS, "### Test event").column("field"), set(sent["data"].as_object().unwrap().keys()));
}

#[test]
fn the_document_has_every_field_of_a_revocation_and_says_whether_it_is_always_there() {
    let sent = |connection: &Connection| {
        let event =
            serde_json::to_value(event(connection, Timestamp::from_millis(0), Timestamp::from_millis(0))).unwrap();
        set(event["data"].as_object().unwrap().keys())
    };
    let known = example(&serde_json::json!({}));
    let older = Connection {
        attempt_id: None,
        username: None,
        org_id: None,
        instance_url: None,
        issued_at: None,
        ..known.clone()
    };
    let table = Table::under(EVENTS, "## Data");
    assert_eq!(table.column_where("field", "revoked", "always"), sent(&older));
    assert_eq!(table.column_where("field", "revoked", "optional"), &sent(&known) - &sent(&older));
}
