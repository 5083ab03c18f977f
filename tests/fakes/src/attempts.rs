//! The attempt table: its items in plain JSON, in DynamoDB's JSON, and as records of its stream.

use serde_json::{Value, json};

/// The item of an attempt that connected, in plain JSON, with some attributes changed.
#[must_use]
pub fn item(changes: Value) -> Value {
    let mut item = json!({
        "attempt_id": "07070707070707070707070707070707",
        "wa_id": "whatsapp:+15551234567",
        "status": "connected",
        "username": "ada@example.com",
        "org_id": "00D000000000001",
        "instance_url": "https://acme.my.salesforce.com",
        "scope": "api refresh_token",
        "renewed": false,
        "login_url": "https://test.salesforce.com",
        "code_sha256": "not read",
        "updated_at": 1_790_000_000_123_u64,
    });
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        item[name] = value;
    }
    item
}

/// An item as DynamoDB writes it; attributes that are `null` are left out.
#[must_use]
pub fn attributes(item: &Value) -> Value {
    let typed = |value: &Value| match value {
        Value::Bool(_) => json!({"BOOL": value}),
        Value::Number(number) => json!({"N": number.to_string()}),
        _ => json!({"S": value}),
    };
    let attributes = item.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    attributes.map(|(name, value)| (name.clone(), typed(value))).collect()
}

/// The stream's event with a record of each item; sequence numbers begin at 100.
#[must_use]
pub fn stream_event(items: &[Value]) -> Value {
    let records: Vec<_> = (100..).zip(items).map(|(number, item)| record(number, item)).collect();
    json!({"Records": records})
}

fn record(number: u32, item: &Value) -> Value {
    json!({
        "eventID": format!("event-{number}"),
        "eventName": "MODIFY",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "SequenceNumber": number.to_string(),
            "SizeBytes": 1,
            "NewImage": attributes(item),
        },
    })
}
