//! The chat page and its stream.

use serde_json::{Value, json};

use super::Stage;

impl Stage {
    /// Waits for the first entries of a chat.
    pub(crate) async fn entries(&self, wa_id: &str, count: usize) -> Vec<Value> {
        let request = self.client.get(self.url("/chat/stream")).query(&[("wa_id", wa_id)]);
        let mut stream = request.send().await.unwrap();
        let mut text = String::new();
        loop {
            let entries: Vec<Value> = text
                .split_inclusive("\n\n")
                .filter(|event| event.ends_with("\n\n"))
                .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")))
                .map(|data| serde_json::from_str(data).unwrap())
                .collect();
            if entries.len() >= count {
                return entries;
            }
            text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        }
    }

    pub(crate) async fn first_entry(&self, wa_id: &str) -> Value {
        self.entries(wa_id, 1).await.remove(0)
    }

    async fn say(&self, wa_id: &str, text: &str) {
        let url = self.url(&format!("/v26.0/{}/messages", self.config.meta_phone_number_id));
        let to = wa_id.trim_start_matches("whatsapp:+");
        let message = json!({"messaging_product": "whatsapp", "to": to, "text": {"body": text}});
        let sent = self.client.post(url).bearer_auth(&self.config.meta_token).json(&message).send().await.unwrap();
        assert_eq!(sent.status(), 200);
    }
}

#[tokio::test]
async fn the_pages_have_the_button_and_load_nothing_from_other_hosts() {
    let stage = Stage::new().await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/chat?text=K7PW-4MXR", "text/html; charset=utf-8"),
        ("/chat/chat.css", "text/css"),
        ("/chat/chat.js", "text/javascript"),
    ] {
        let response = stage.client.get(stage.url(path)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &content_type.parse().unwrap())
        );
        let text = response.text().await.unwrap();
        assert!(!text.contains("https://") && !text.contains("url(http"), "{path}");
        assert_eq!(content_type.starts_with("text/html"), text.contains("class=\"connect\""));
    }
}

#[tokio::test]
async fn a_message_arrives_while_the_page_is_open() {
    let stage = Stage::new().await;
    let wa_id = "whatsapp:+15551234567";
    let (chat, ()) = tokio::join!(stage.entries(wa_id, 2), async {
        stage.say(wa_id, "one").await;
        stage.say("whatsapp:+15557654321", "for someone else").await;
        stage.say(wa_id, "two").await;
    });
    assert_eq!((&chat[0]["text"], &chat[1]["text"]), (&json!("one"), &json!("two")));
}

#[tokio::test]
async fn a_page_that_reconnects_continues_where_it_was() {
    let stage = Stage::new().await;
    let wa_id = "whatsapp:+15551234567";
    stage.say(wa_id, "one").await;
    stage.say(wa_id, "two").await;
    let first = stage.first_entry(wa_id).await;
    let request = stage.client.get(stage.url("/chat/stream")).query(&[("wa_id", wa_id)]);
    let mut rest = request.header("last-event-id", first["seq"].to_string()).send().await.unwrap();
    let chunk = rest.chunk().await.unwrap().unwrap();
    let text = std::str::from_utf8(&chunk).unwrap();
    assert!(text.contains(r#""text":"two""#) && !text.contains(r#""text":"one""#), "{text}");
}

#[tokio::test]
async fn a_forwarded_link_arrives_on_the_other_phone_alone() {
    let stage = Stage::new().await;
    let (from, to, url) = ("whatsapp:+15551234567", "whatsapp:+15557654321", "https://x.example/connect/abc");
    stage.control("/chat/forward", &json!({"wa_id": from, "to": to, "url": url})).await;
    let entry = stage.first_entry(to).await;
    assert_eq!((&entry["kind"], &entry["from"], &entry["url"]), (&json!("forwarded"), &json!(from), &json!(url)));
    stage.say(from, "first").await;
    assert_eq!(stage.first_entry(from).await["text"], "first");
}
