//! Meta's Cloud API.

use serde_json::{Value, json};

use super::{Stage, json};

impl Stage {
    async fn meta(&self, message: &Value) -> (u16, Value) {
        let path = format!("/v26.0/{}/messages", self.config.meta_phone_number_id);
        self.meta_as(&path, &self.config.meta_token, message).await
    }

    async fn meta_as(&self, path: &str, token: &str, message: &Value) -> (u16, Value) {
        json(self.client.post(self.url(path)).bearer_auth(token).json(message).send().await.unwrap()).await
    }
}

fn text(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "✅ Hello"}})
}

#[tokio::test]
async fn a_text_is_accepted_and_arrives() {
    let stage = Stage::new().await;
    let (status, answer) = stage.meta(&text("15551234567")).await;
    assert_eq!((status, &answer["messaging_product"]), (200, &json!("whatsapp")));
    assert_eq!(answer["contacts"], json!([{"input": "15551234567", "wa_id": "15551234567"}]));
    assert!(answer["messages"][0]["id"].as_str().unwrap().starts_with("wamid."));

    let entry = stage.first_entry("whatsapp:+15551234567").await;
    assert_eq!((&entry["text"], &entry["via"]), (&json!("✅ Hello"), &json!({"provider": "meta", "template": false})));
    assert_eq!(stage.journal("meta.messages").await["records"][0]["wa_id"], "whatsapp:+15551234567");
}

#[tokio::test]
async fn a_business_scoped_id_is_a_recipient() {
    let stage = Stage::new().await;
    let mut message = text("");
    message["recipient"] = json!("US.ABC123XYZ");
    assert_eq!(stage.meta(&message).await.0, 200);
    assert_eq!(stage.first_entry("whatsapp:US.ABC123XYZ").await["text"], "✅ Hello");
}

#[tokio::test]
async fn a_template_arrives_with_its_parameters() {
    let stage = Stage::new().await;
    let template = json!({
        "name": "connection_status",
        "language": {"code": "en_US"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Connected"}]}],
    });
    let message =
        json!({"messaging_product": "whatsapp", "to": "15551234567", "type": "template", "template": template});
    assert_eq!(stage.meta(&message).await.0, 200);
    let entry = stage.first_entry("whatsapp:+15551234567").await;
    assert_eq!((&entry["text"], &entry["via"]["template"]), (&json!("Connected"), &json!(true)));
}

#[tokio::test]
async fn a_wrong_message_is_refused() {
    let stage = Stage::new().await;
    for (pointer, value) in [
        ("/messaging_product", Value::Null),
        ("/to", Value::Null),
        ("/to", json!("whatsapp:+15551234567")),
        ("/type", json!("carrier-pigeon")),
        ("/type", json!("template")),
        ("/text/body", json!("")),
        ("/text/body", json!("x".repeat(4097))),
    ] {
        let mut message = text("15551234567");
        *message.pointer_mut(pointer).unwrap() = value;
        let (status, answer) = stage.meta(&message).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(100)), "{pointer}: {answer}");
        for name in ["message", "type", "error_data", "fbtrace_id"] {
            assert!(!answer["error"][name].is_null(), "{name}");
        }
    }
}

#[tokio::test]
async fn wrong_credentials_and_addresses_are_refused() {
    let stage = Stage::new().await;
    let (token, number) = (&stage.config.meta_token, &stage.config.meta_phone_number_id);
    let (status, answer) = stage.meta_as(&format!("/v26.0/{number}/messages"), "guess", &text("15551234567")).await;
    assert_eq!((status, &answer["error"]["code"]), (401, &json!(190)));
    for path in ["/v26.0/1/messages".to_owned(), format!("/latest/{number}/messages")] {
        let (status, answer) = stage.meta_as(&path, token, &text("15551234567")).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(100)));
    }
}
