use super::*;

fn connected() -> Attributes {
    [
        (attr::ATTEMPT_ID, "07070707070707070707070707070707".into()),
        (attr::WA_ID, "whatsapp:+15551234567".into()),
        (attr::STATUS, "connected".into()),
        (attr::ORG_ID, "00D000000000001".into()),
        (attr::INSTANCE_URL, "https://acme.my.salesforce.com".into()),
        (attr::RENEWED, true.into()),
        (attr::CODE_SHA256, Value::Other),
    ]
    .map(|(name, value): (&str, Value)| (name.to_owned(), value))
    .into()
}

fn with(name: &str, value: impl Into<Value>) -> Attributes {
    let mut attributes = connected();
    attributes.insert(name.to_owned(), value.into());
    attributes
}

fn without(name: &str) -> Attributes {
    let mut attributes = connected();
    attributes.remove(name);
    attributes
}

fn outcome(attributes: &Attributes) -> Result<Outcome, UnreadableItem> {
    Item::read(attributes, &[])?.outcome()
}

fn ended(status: &str, reason: &str) -> Result<Outcome, UnreadableItem> {
    let mut attributes = with(attr::STATUS, status);
    attributes.insert(attr::REASON.to_owned(), reason.into());
    attributes.insert(attr::SALESFORCE_ERROR.to_owned(), "access_denied".into());
    outcome(&attributes)
}

#[test]
fn each_status_is_read_with_its_own_fields() {
    let account = Account {
        org_id: "00D000000000001".to_owned(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        username: None,
        scope: None,
    };
    assert_eq!(outcome(&connected()), Ok(Outcome::Connected { account, renewed: true }));
    let salesforce_error = Some("access_denied".to_owned());
    assert_eq!(ended("failed", "denied"), Ok(Outcome::Failed { reason: Reason::Denied, salesforce_error }));
    assert_eq!(ended("delayed", "misconfigured"), Ok(Outcome::Delayed { reason: Reason::Misconfigured }));
    let Ok(Outcome::Ended(end)) = ended("ended", "expired") else { panic!("another outcome") };
    assert_eq!((end.reason, end.org_id.as_deref()), (EndReason::Expired, Some("00D000000000001")));
}

#[test]
fn an_outcome_that_cannot_be_read_names_what_is_missing_or_invalid() {
    assert_eq!(ended("exchanging", "denied"), Err(UnreadableItem::NotFinished));
    assert_eq!(ended("lost", "denied"), Err(UnreadableItem::Invalid(attr::STATUS)));
    assert_eq!(ended("delayed", "weather"), Err(UnreadableItem::Invalid(attr::REASON)));
    assert_eq!(ended("ended", "denied"), Err(UnreadableItem::Invalid(attr::REASON)));
    assert_eq!(outcome(&with(attr::STATUS, "failed")), Err(UnreadableItem::Missing(attr::REASON)));
    assert_eq!(outcome(&without(attr::ORG_ID)), Err(UnreadableItem::Missing(attr::ORG_ID)));
}

#[test]
fn an_attribute_of_another_form_is_named_and_not_quoted() {
    for (name, value) in [
        (attr::WA_ID, "sms:+15551234567".into()),
        (attr::USERNAME, 15_551_234_567.into()),
        (attr::UPDATED_AT, "15551234567".into()),
        (attr::RENEWED, Value::Other),
    ] {
        let error = Item::read(&with(name, value), &[]).unwrap_err();
        assert_eq!(error, UnreadableItem::Invalid(name));
        assert!(!error.to_string().contains("1555"), "{error}");
    }
    assert_eq!(Item::read(&without(attr::ATTEMPT_ID), &[]), Err(UnreadableItem::Missing(attr::ATTEMPT_ID)));
}

#[test]
fn an_attribute_that_the_reader_does_not_use_may_have_any_form() {
    let odd = with(attr::SCOPE, Value::Other);
    assert_eq!(Item::read(&odd, &[]), Err(UnreadableItem::Invalid(attr::SCOPE)));
    assert_eq!(Item::read(&odd, &[attr::SCOPE]).unwrap().scope, None);
}

#[test]
fn an_attempt_is_stuck_when_its_lease_has_expired() {
    let now = Timestamp::from_millis(60_000);
    let is_stuck = |status: &str, until: u64| {
        let mut attributes = with(attr::STATUS, status);
        attributes.insert(attr::LEASE_UNTIL.to_owned(), until.into());
        Item::read(&attributes, &[]).unwrap().is_stuck(now)
    };
    assert!(is_stuck("exchanging", 59_999));
    assert!(!is_stuck("exchanging", 60_000));
    assert!(!is_stuck("connected", 0));
}

#[test]
fn an_attempt_whose_lease_was_released_is_not_stuck() {
    for until in [0, 30_000] {
        let mut attributes = with(attr::STATUS, "exchanging");
        attributes.insert(attr::LEASE_UNTIL.to_owned(), until.into());
        attributes.insert(attr::UPDATED_AT.to_owned(), 30_000.into());
        assert!(!Item::read(&attributes, &[]).unwrap().is_stuck(Timestamp::from_millis(60_000)), "{until}");
    }
}

#[test]
fn a_reference_in_another_form_is_left_out() {
    let read = |item: &Attributes| Item::read(item, &[]).unwrap().reference;
    assert_eq!(read(&with(attr::REFERENCE, "crm/42")), "crm/42".parse().ok());
    assert_eq!(read(&with(attr::REFERENCE, 7)), None);
}
