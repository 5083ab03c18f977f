//! Twilio's `Messages` resource.

use serde_json::{Value, json};

use super::{Stage, json};

impl Stage {
    async fn twilio(&self, form: &[(&str, &str)]) -> (u16, Value) {
        self.twilio_as(&self.config.twilio_account_sid, &self.config.twilio_auth_token, form).await
    }

    async fn twilio_as(&self, account: &str, password: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let url = self.url(&format!("/2010-04-01/Accounts/{account}/Messages.json"));
        let sid = &self.config.twilio_account_sid;
        json(self.client.post(url).basic_auth(sid, Some(password)).form(form).send().await.unwrap()).await
    }
}

const FROM: (&str, &str) = ("From", "whatsapp:+14155238886");
const TO: (&str, &str) = ("To", "whatsapp:+15551234567");

#[tokio::test]
async fn a_text_is_queued_and_arrives() {
    let stage = Stage::new().await;
    let (status, message) = stage.twilio(&[FROM, TO, ("Body", "✅ Hello")]).await;
    assert_eq!(status, 201);
    assert!(message["sid"].as_str().unwrap().starts_with("SM") && message["sid"].as_str().unwrap().len() == 34);
    assert_eq!(
        (&message["status"], &message["body"], &message["to"]),
        (&json!("queued"), &json!("✅ Hello"), &json!(TO.1))
    );

    let entry = stage.first_entry("whatsapp:+15551234567").await;
    assert_eq!((&entry["kind"], &entry["text"]), (&json!("said"), &json!("✅ Hello")));
    assert_eq!(entry["via"], json!({"provider": "twilio", "template": false}));

    let journal = stage.journal("twilio.messages").await;
    assert_eq!((&journal["count"], &journal["succeeded"]), (&json!(1), &json!(1)));
    assert_eq!(journal["records"][0]["asked"]["body"], json!({"From": FROM.1, "To": TO.1, "Body": "✅ Hello"}));
}

#[tokio::test]
async fn a_template_arrives_with_its_variables() {
    let stage = Stage::new().await;
    let template =
        [("ContentSid", "HX1"), ("ContentVariables", r#"{"1":"Connected"}"#), ("MessagingServiceSid", "MG1")];
    let (status, sent) = stage.twilio(&[&[FROM, TO], &template[..]].concat()).await;
    assert_eq!((status, &sent["messaging_service_sid"]), (201, &json!("MG1")));
    let entry = stage.first_entry("whatsapp:+15551234567").await;
    assert_eq!((&entry["text"], &entry["via"]["template"]), (&json!("Connected"), &json!(true)));
}

#[tokio::test]
async fn a_wrong_message_is_refused() {
    let stage = Stage::new().await;
    let long = "x".repeat(1601);
    let forms: [(&[(&str, &str)], u32); 8] = [
        (&[FROM, ("Body", "hi")], 21604),
        (&[TO, ("Body", "hi")], 21603),
        (&[FROM, TO], 21619),
        (&[FROM, TO, ("Body", &long)], 21617),
        (&[FROM, ("To", "whatsapp:15551234567"), ("Body", "hi")], 21211),
        (&[FROM, ("To", "whatsapp: 15551234567"), ("Body", "hi")], 21211),
        (&[("From", "+14155238886"), TO, ("Body", "hi")], 63007),
        (&[FROM, TO, ("ContentSid", "HX1"), ("ContentVariables", "1=a")], 21656),
    ];
    for (form, code) in forms {
        let (status, error) = stage.twilio(form).await;
        assert_eq!((status, &error["status"], &error["code"]), (400, &json!(400), &json!(code)), "{error}");
        assert_eq!(error["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
    }
    assert_eq!(stage.journal("twilio.messages").await["succeeded"], 0);
}

impl Stage {
    /// What Twilio says of a message.
    async fn fetch(&self, sid: &Value) -> (u16, Value) {
        let account = &self.config.twilio_account_sid;
        let sid = sid.as_str().unwrap();
        let url = self.url(&format!("/2010-04-01/Accounts/{account}/Messages/{sid}.json"));
        let request = self.client.get(url).basic_auth(account, Some(&self.config.twilio_auth_token));
        json(request.send().await.unwrap()).await
    }
}

#[tokio::test]
async fn a_message_that_was_sent_is_delivered() {
    let stage = Stage::new().await;
    let (_, sent) = stage.twilio(&[FROM, TO, ("Body", "hi")]).await;
    let (status, message) = stage.fetch(&sent["sid"]).await;
    assert_eq!((status, &message["status"], &message["error_code"]), (200, &json!("delivered"), &Value::Null));
    assert_eq!(stage.journal("twilio.message").await["records"][0]["wa_id"], TO.1);
    assert_eq!(stage.fetch(&json!("SM0")).await.0, 404);
}

#[tokio::test]
async fn a_message_can_be_accepted_and_given_up_later() {
    let stage = Stage::new().await;
    for code in [63016, 63003, 63024, 63032, 21610, 63112] {
        let later = json!({"later": {"status": "undelivered", "error_code": code, "after_asks": 1}});
        stage.fault("twilio.messages", later).await;
        let (status, sent) = stage.twilio(&[FROM, TO, ("Body", "hi")]).await;
        assert_eq!((status, &sent["status"], &sent["error_code"]), (201, &json!("queued"), &Value::Null));
        assert_eq!(stage.fetch(&sent["sid"]).await.1["status"], "queued");
        let message = stage.fetch(&sent["sid"]).await.1;
        assert_eq!((&message["status"], &message["error_code"]), (&json!("undelivered"), &json!(code)));
    }
    stage.twilio(&[FROM, TO, ("Body", "the first to arrive")]).await;
    assert_eq!(stage.first_entry(TO.1).await["text"], "the first to arrive");
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let stage = Stage::new().await;
    let message = [FROM, TO, ("Body", "hi")];
    let (status, error) = stage.twilio_as(&stage.config.twilio_account_sid, "guess", &message).await;
    assert_eq!((status, &error["code"]), (401, &json!(20003)));
    let (status, error) = stage.twilio_as("AC1", &stage.config.twilio_auth_token, &message).await;
    assert_eq!((status, &error["code"]), (404, &json!(20404)));
}
