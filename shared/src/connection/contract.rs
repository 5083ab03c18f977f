//! The attributes of the token table against `docs/API.md`, in both directions.

use ::contract::{API, Table, set};

use super::*;
use crate::{
    AttemptId, Language, Timestamp,
    attempt::{Account, attr},
    conditional_write::Attributes,
    reference::LinkReference,
};

#[test]
fn the_document_has_every_attribute_of_the_token_table_and_says_whether_it_is_always_there() {
    let login_url = "https://login.salesforce.com".parse().unwrap();
    let written = |optional: Option<&str>| {
        let reference = optional.map_or(LinkReference::Absent, |text| LinkReference::Known(text.parse().unwrap()));
        let tokens = NewTokens {
            attempt_id: AttemptId::from_bytes([7; 16]),
            login_url: &login_url,
            reference: &reference,
            language: optional.map(|_| Language::Spanish),
            account: Account { org_id: "o", instance_url: "i", username: optional, scope: optional },
            user_id: "u",
            access_token: "a",
            refresh_token: optional,
            issued_at: Timestamp::from_millis(1),
            expires_at: optional.map(|_| Timestamp::from_millis(3)),
            app_hash: optional,
        };
        let mut row = Attributes::new();
        let consent =
            Consent { attempt_id: AttemptId::from_bytes([7; 16]), at: Timestamp::from_millis(1), link_issued_at: None };
        assert!(tokens.store(&consent, None, Timestamp::from_millis(2)).apply(&mut row));
        set(row.into_keys())
    };
    let table = Table::under(API, "## Token table");
    let documented = |kind| table.column_where("attribute", "", kind);
    assert_eq!(documented("key"), set([attr::WA_ID]));
    assert_eq!(documented("always"), written(None));
    assert_eq!(documented("optional"), &written(Some("known")) - &written(None));
}
