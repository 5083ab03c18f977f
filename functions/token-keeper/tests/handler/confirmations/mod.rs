//! `POST /confirmations`: what becomes of the codes that chats send.

mod guesses;
mod known;
mod trouble;

use fakes::dynamodb::Tables;
use shared::{
    WaId,
    conditional_write::{Attributes, Value as Stored},
    exchange::{Body as Message, Consent, ExchangeMessage, Sealed, StateText},
    proof::{
        ChatCode, ChatProof,
        pending::{self, Hold},
    },
    texts,
};

use super::*;

const PENDING: &str = "pending_connections";
const CODE: &str = "K7PW-4MXR";
const OTHER_CHAT: &str = "whatsapp:+15557654321";
/// Codes that no login waits for.
const WRONG: [&str; 5] = ["CDFH-2345", "JKMN-6789", "PRTV-2345", "WXYC-6789", "TTTT-3333"];

fn proof(code: &str) -> ChatProof {
    ChatCode::find(code)[0].proof()
}

fn wa_id(chat: &str) -> WaId {
    chat.parse().unwrap()
}

/// As DynamoDB writes it.
fn item(row: &Attributes) -> Value {
    let typed = |value: &Stored| match value {
        Stored::Text(text) => json!({ "S": text }),
        Stored::Number(number) => json!({ "N": number.to_string() }),
        other => panic!("{other:?}"),
    };
    row.iter().map(|(name, value)| (name.clone(), typed(value))).collect()
}

/// A login with a link of [`CHAT`], held until then.
fn held(confirm_until: Timestamp) -> Value {
    held_in(None, confirm_until)
}

/// The same, with a link in a language.
fn held_in(language: Option<Language>, confirm_until: Timestamp) -> Value {
    held_of(language, None, confirm_until)
}

/// The same, with a link that was made then.
fn held_of(language: Option<Language>, link_issued_at: Option<Timestamp>, confirm_until: Timestamp) -> Value {
    let mut row = Attributes::new();
    let hold = Hold {
        attempt_id: shared::AttemptId::from_bytes([7; 16]),
        wa_id: &wa_id(CHAT),
        language,
        state: &StateText::new("the state".to_owned()),
        received_at: NOW,
        link_issued_at,
        code_sha256: "sha256",
        sealed: &Sealed { key: b"key".to_vec(), data: b"tokens".to_vec() },
        confirm_until,
    };
    assert!(hold.write(NOW).apply(&mut row));
    item(&row)
}

fn hold(tables: &Tables, confirm_until: Timestamp) {
    hold_row(tables, &held(confirm_until));
}

fn hold_row(tables: &Tables, held: &Value) {
    let mut row = tables.item(PENDING, proof(CODE).as_str());
    if row.is_null() {
        row = json!({});
    }
    for (name, value) in held.as_object().unwrap() {
        row[name] = value.clone();
    }
    tables.put(PENDING, proof(CODE).as_str(), row);
}

/// As the token exchanger does after it has carried the decision out.
fn settle(tables: &Tables) {
    let mut row = tables.item(PENDING, proof(CODE).as_str());
    for name in [pending::attr::STATE, pending::attr::SEALED_KEY, pending::attr::SEALED_TOKENS] {
        row.as_object_mut().unwrap().remove(name).unwrap();
    }
    row[pending::attr::SETTLED_AT] = json!({ "N": "1" });
    tables.put(PENDING, proof(CODE).as_str(), row);
}

fn in_ten_minutes() -> Timestamp {
    NOW.plus(Duration::from_mins(10))
}

impl World {
    /// A world in which a login of [`CHAT`]'s waits for [`CODE`].
    async fn holding() -> Self {
        let world = Self::start().await;
        hold(&world.tables, in_ten_minutes());
        world
    }

    async fn confirm(&self, chat: &str, text: &str) -> ApiGatewayV2httpResponse {
        self.send(event("POST /confirmations", &json!({ "wa_id": chat, "text": text }).to_string())).await
    }

    /// The status and error of the answer, or its status as the call has it.
    async fn answer(&self, chat: &str, text: &str) -> (i64, String) {
        let answer = self.confirm(chat, text).await;
        let body = body(&answer);
        let word = body["error"].as_str().or(body["status"].as_str()).unwrap();
        (answer.status_code, word.to_owned())
    }

    fn sender(&self, code: &str) -> Value {
        self.tables.item(PENDING, proof(code).as_str())["sender"]["S"].clone()
    }

    /// The messages on the exchange queue.
    fn told(&self) -> Vec<ExchangeMessage> {
        let parse = |request: fakes::Request| {
            let sent = request.json();
            assert!(sent["QueueUrl"].as_str().unwrap().ends_with("/exchange") && sent["DelaySeconds"] == 0, "{sent}");
            match Message::parse(sent["MessageBody"].as_str().unwrap()).unwrap() {
                Message::Current(message) => message,
                Message::Version1(_) => panic!("an older version"),
            }
        };
        self.server.requests("SendMessage").into_iter().map(parse).collect()
    }

    /// How many codes of the chat count as guesses.
    fn guesses(&self, chat: &str) -> usize {
        let item = self.tables.item("limits", &format!("guess:{chat}"));
        item.as_object().map_or(0, |item| item.keys().filter(|name| name.starts_with("outcome")).count())
    }
}

fn ok() -> (i64, String) {
    (200, "confirmed".to_owned())
}

fn unknown() -> (i64, String) {
    (404, "unknown_code".to_owned())
}

fn wrong_chat() -> (i64, String) {
    (409, "wrong_chat".to_owned())
}

fn too_many() -> (i64, String) {
    (429, "too_many_guesses".to_owned())
}

fn unavailable() -> (i64, String) {
    (503, "temporarily_unavailable".to_owned())
}

fn said(answer: &ApiGatewayV2httpResponse) -> String {
    body(answer)["user_message"].as_str().unwrap().to_owned()
}

mod early {
    use super::*;

    #[tokio::test]
    async fn a_code_that_comes_before_its_login_is_waited_for() {
        // Whoever confirms is told whether a later login counts: one read more.
        for (chat, answer, reads) in [(CHAT, ok(), 4), (OTHER_CHAT, wrong_chat(), 3)] {
            let world = World::waiting(&[], None).await;
            world.tables.before_read(3, |tables| hold(tables, in_ten_minutes()));
            assert_eq!(world.answer(chat, CODE).await, answer);
            assert_eq!(world.server.count("GetItem"), reads, "looked at until it was there");
            assert_eq!((world.told().len(), world.guesses(chat)), (1, 0));
        }
    }

    #[tokio::test]
    async fn a_code_whose_login_does_not_come_is_recorded_and_unknown() {
        let world = World::start().await;
        let answer = world.confirm(CHAT, CODE).await;
        assert_eq!((answer.status_code, &body(&answer)["error"]), (404, &json!("unknown_code")));
        assert!(said(&answer).starts_with("We do not know that code."));
        assert_eq!((world.sender(CODE), world.guesses(CHAT)), (json!(CHAT), 1));
        hold(&world.tables, in_ten_minutes());
        assert_eq!(world.answer(CHAT, CODE).await, ok());
        assert_eq!(world.guesses(CHAT), 0, "it was no guess after all");
    }
}

mod refused {
    use super::*;

    #[tokio::test]
    async fn a_caller_without_an_identity_is_refused_before_its_body_is_read() {
        let world = World::holding().await;
        for sent in [json!({ "wa_id": CHAT, "text": CODE }).to_string(), "no json".to_owned()] {
            let mut event = event("POST /confirmations", &sent);
            event["requestContext"]["authorizer"].take();
            assert_eq!(world.send(event).await.status_code, 403);
        }
        assert_eq!(world.server.operations(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_bad_body_is_refused_without_a_word_of_it_and_without_asking_anybody() {
        let logs = Logs::capture();
        let world = World::holding().await;
        let long = json!({ "wa_id": CHAT, "text": format!("HWCT-9999 {}", "s3cret".repeat(800)) }).to_string();
        for sent in [
            "HWCT-9999",
            "",
            "[]",
            r#"{"wa_id":"whatsapp:+15551234567"}"#,
            r#"{"text":"HWCT-9999"}"#,
            r#"{"wa_id":"+15551234567","text":"HWCT-9999"}"#,
            r#"{"wa_id":"whatsapp:+15551234567","text":["HWCT-9999"]}"#,
            r#"{"wa_id":"whatsapp:+15551234567","text":null}"#,
            &long,
            &format!("{}{}", json!({ "wa_id": CHAT, "text": "HWCT-9999" }), " ".repeat(33_000)),
        ] {
            let answer = world.send(event("POST /confirmations", sent)).await;
            assert_eq!((answer.status_code, &body(&answer)["error"]), (400, &json!("invalid_request")), "{sent}");
            let text = text(&answer);
            assert!(!text.contains("HWCT") && !text.contains("1555") && !text.contains("s3cret"), "{text}");
        }
        assert_eq!(world.server.operations(), Vec::<String>::new());
        assert!(!logs.text().contains("HWCT"));
    }
}

#[tokio::test]
async fn no_address_code_or_hash_is_logged_and_every_answer_is_counted() {
    let logs = Logs::capture();
    let world = World::start().await;
    // Codes and chats of this test's own, since the log is the whole binary's.
    let (own, other, code) = ("whatsapp:+15550008888", "whatsapp:+15550007777", "RRRR-7777");
    let wrong = ["MMMM-7777", "NNNN-7777", "PPPP-7777", "TTTT-7777"];
    let mut row = held(in_ten_minutes());
    row["wa_id"] = json!({ "S": own });
    world.tables.put(PENDING, proof(code).as_str(), row);
    world.server.next("SendMessage", error("AccessDeniedException"));
    for (chat, text) in [(own, code), (own, code), (other, code), (own, "good morning RRRR")] {
        world.confirm(chat, text).await;
    }
    for code in wrong {
        world.confirm(other, code).await;
    }
    let logged = logs.text();
    let hashes = [code, wrong[0], wrong[3]].map(|code| proof(code).as_str().to_owned());
    let secrets = ["0008888", "0007777", "RRRR", "MMMM", "NNNN", "good morning", "the state", "sha256"];
    for secret in secrets.into_iter().chain(hashes.iter().map(String::as_str)) {
        assert!(!logged.contains(secret), "{secret} is in the log");
    }
    for result in ["confirmed", "wrong_chat", "unknown_code", "too_many_guesses"] {
        let counted = format!(r#""Result\":\"{result}\",\"Confirmations\":1"#);
        let plain = format!(r#""Result":"{result}","Confirmations":1"#);
        assert!(logged.contains(&counted) || logged.contains(&plain), "{result} is not counted");
    }
    let lines = logged.lines().filter(|line| line.contains("\"POST /confirmations\""));
    let kinds = ["request served", "request refused", "request failed"];
    assert!(lines.clone().count() >= 8 && lines.clone().all(|line| kinds.iter().any(|kind| line.contains(kind))));
    assert!(logged.contains("the token exchanger was not told: SendMessage failed: AccessDeniedException"));
}
