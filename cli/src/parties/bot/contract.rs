//! The fields of `connection.test` against `docs/EVENTS.md`, in both directions.

use ::contract::{EVENTS, Table, assert_samples, set};

use super::*;

#[test]
fn the_document_has_every_field_of_a_test_event() {
    let wa_id = "whatsapp:+00000000".parse().unwrap();
    let event = CloudEvent::new("evt_test_1".to_owned(), Timestamp::from_millis(1), Data::Test(Test { wa_id: &wa_id }));
    assert_samples("test-event", &[serde_json::to_string(&event).unwrap()]);
    let sent = serde_json::to_value(event).unwrap();
    assert_eq!(Table::under(EVENTS, "### Test event").column("field"), set(sent["data"].as_object().unwrap().keys()));
}
