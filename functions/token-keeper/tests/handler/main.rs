//! The whole function, with AWS and Salesforce behind real HTTP.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for other code")]

mod confirmations;
mod token;

use std::{fmt::Write as _, time::Duration};

use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings::Body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fakes::{
    Answer, Server,
    aws::{error, setting},
    dynamodb::Tables,
    logs::Logs,
    salesforce::{REVOKE, TOKEN},
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use shared::{Language, Next, Settings, Timestamp, attempt::EndReason, aws::kms::Kms};
use token_keeper::{Config, TokenKeeper};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
const CHAT: &str = "whatsapp:+15551234567";
const CLIENT_SECRET: &str = "5A4D0B0C";
/// The row's, and what a refresh brings.
const OLD_TOKEN: &str = "00Dxx!OLD";
const NEW_TOKEN: &str = "00Dxx!ACCESS";
const INTROSPECT: &str = "/services/oauth2/introspect";
const CALLS: [&str; 3] = ["token", "status", "disconnect"];

/// The function, with AWS and Salesforce on one server.
struct World {
    server: Server,
    tables: Tables,
    keeper: TokenKeeper,
}

impl World {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    async fn with(changed: &[(&str, &str)]) -> Self {
        Self::waiting(changed, Some(Duration::ZERO)).await
    }

    /// With so long a wait for the login of a code that came first; `None`: as long as the function itself waits.
    async fn waiting(changed: &[(&str, &str)], wait: Option<Duration>) -> Self {
        let server = Server::start()
            .await
            .with_kms()
            .with_secrets(&[("sf_client_id", "3MVG9.client"), ("sf_client_secret", CLIENT_SECRET)])
            .with_salesforce(CLIENT_SECRET);
        let tables = Tables::on(&server);
        server.on("Query", |_| json!({ "Items": [] }).into());
        server.on("SendMessage", |_| json!({ "MessageId": "1", "MD5OfMessageBody": "" }).into());
        server.on(INTROSPECT, |_| json!({ "active": true, "exp": 1_790_007_200 }).into());
        server.on(REVOKE, |_| Answer::new(200, ""));
        let keeper = started(&server, changed, wait).await;
        Self { server, tables, keeper }
    }

    /// A row that is connected, whose tokens came so many minutes ago.
    fn connected(&self, minutes: u64) -> Value {
        let age = Duration::from_mins(minutes);
        json!({
            "wa_id": { "S": CHAT },
            "access_token": { "S": OLD_TOKEN },
            "refresh_token": { "S": "5AepOLD" },
            "instance_url": { "S": self.server.url() },
            "login_url": { "S": self.server.url() },
            "issued_at": { "N": NOW.minus(age).millis().to_string() },
            "refreshed_at": { "N": NOW.minus(age).millis().to_string() },
            "connected_at": { "N": "1789990000000" },
            "consented_at": { "N": "1789990000000" },
            "expires_at": { "N": "1790003600000" },
            "attempt_id": { "S": "07".repeat(16) },
            "scope": { "S": "api refresh_token" },
            "username": { "S": "ada@example.com" },
            "org_id": { "S": "00Dxx0000001gPLEAY" },
            "user_id": { "S": "005xx000001SwiUAAS" },
            "version": { "N": "7" },
        })
    }

    fn put(&self, row: Value) {
        self.tables.put("salesforce_tokens", CHAT, row);
    }

    fn row(&self) -> Value {
        self.tables.item("salesforce_tokens", CHAT)
    }

    async fn call(&self, call: &str, body: &Value) -> ApiGatewayV2httpResponse {
        self.send(request(call, &body.to_string())).await
    }

    async fn send(&self, event: Value) -> ApiGatewayV2httpResponse {
        self.keeper.handle(&serde_json::from_value(event).unwrap()).await
    }

    /// How many requests reached Salesforce.
    fn asked_salesforce(&self) -> usize {
        [TOKEN, INTROSPECT, REVOKE].into_iter().map(|endpoint| self.server.count(endpoint)).sum()
    }
}

async fn started(server: &Server, changed: &[(&str, &str)], wait: Option<Duration>) -> TokenKeeper {
    let settings = Settings::new(|name| {
        if let Some((_, value)) = changed.iter().find(|(key, _)| *key == name) {
            return Some((*value).to_owned());
        }
        Some(match name {
            "DYNAMODB_PROFILE_TABLE_NAME" => "salesforce_tokens".to_owned(),
            "ATTEMPT_TABLE_NAME" => "connection_attempts".to_owned(),
            "UPKEEP_QUEUE_URL" => format!("{}/upkeep", server.url()),
            "TOKEN_KEY_ID" => "refresh-tokens".to_owned(),
            "TOKEN_CUSTODY" => "Stack".to_owned(),
            "TOKEN_MAX_AGE_MINUTES" => "60".to_owned(),
            "LINK_KEY_ID" => "link".to_owned(),
            "RELINK_LIFETIME_HOURS" => "24".to_owned(),
            "PENDING_TABLE_NAME" => "pending_connections".to_owned(),
            "LIMIT_TABLE_NAME" => "limits".to_owned(),
            "DEFAULT_LANGUAGE" => "en".to_owned(),
            "EXCHANGE_QUEUE_URL" => format!("{}/exchange", server.url()),
            "LOGIN_URLS" => format!("https://login.salesforce.com,{}", server.url()),
            "STACK_NAME" => "connect".to_owned(),
            "SF_CLIENT_ID_SECRET_NAME" => "sf_client_id".to_owned(),
            "SF_CLIENT_SECRET_SECRET_NAME" => "sf_client_secret".to_owned(),
            "API_DOMAIN_SUFFIX" => "execute-api.us-east-1.amazonaws.com".to_owned(),
            _ => return setting(name, server),
        })
    });
    let random = |buffer: &mut [u8]| {
        buffer.fill(9);
        Ok(())
    };
    let aws = shared::aws::config(&settings).unwrap();
    let config = Config::read(&settings).unwrap();
    let config = match wait {
        Some(wait) => config.waiting(wait),
        None => config,
    };
    let keeper = TokenKeeper::new(config, &aws, || NOW, random);
    Box::pin(keeper.warm_up()).await;
    keeper
}

fn request(call: &str, body: &str) -> Value {
    event(&format!("POST /connections/{call}"), body)
}

fn event(route_key: &str, body: &str) -> Value {
    json!({
        "routeKey": route_key,
        "body": body,
        "requestContext": {
            "apiId": "abc",
            "http": { "method": "POST" },
            "authorizer": { "iam": { "accountId": "123456789012", "cognitoIdentity": null } },
        },
    })
}

fn chat() -> Value {
    json!({ "wa_id": CHAT })
}

fn text(response: &ApiGatewayV2httpResponse) -> &str {
    match &response.body {
        Some(Body::Text(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

fn body(response: &ApiGatewayV2httpResponse) -> Value {
    serde_json::from_str(text(response)).unwrap()
}

fn sha256(token: &str) -> String {
    digest(&SHA256, token.as_bytes()).as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn header<'a>(response: &'a ApiGatewayV2httpResponse, name: &str) -> &'a str {
    response.headers[name].to_str().unwrap()
}

mod status {
    use super::*;

    async fn status(world: &World) -> Value {
        let answer = world.call("status", &chat()).await;
        assert_eq!(answer.status_code, 200);
        body(&answer)
    }

    fn newest(world: &World, status: &'static str) {
        let newest = json!({ "attempt_id": { "S": "0a".repeat(16) }, "status": { "S": status } });
        world.server.on("Query", move |_| json!({ "Items": [newest] }).into());
    }

    #[tokio::test]
    async fn a_connection_costs_one_read() {
        let world = World::start().await;
        world.put(world.connected(600));
        assert_eq!(
            status(&world).await,
            json!({
                "status": "connected",
                "username": "ada@example.com",
                "org_id": "00Dxx0000001gPLEAY",
                "instance_url": world.server.url(),
                "scope": "api refresh_token",
                "connected_at": "2026-09-21T11:26:40Z",
                "refreshed_at": "2026-09-21T04:13:20Z",
            })
        );
        assert_eq!(world.server.operations(), ["GetItem"]);
    }

    #[tokio::test]
    async fn a_connection_and_a_login_under_way_have_the_bots_reference() {
        let world = World::start().await;
        let mut row = world.connected(1);
        row["reference"] = json!({ "S": "crm/42" });
        world.put(row);
        assert_eq!(status(&world).await["reference"], "crm/42");
        world.put(json!({ "wa_id": { "S": CHAT }, "ended_at": { "N": "5" }, "reference": { "S": "crm/42" } }));
        assert_eq!(status(&world).await, json!({ "status": "ended", "reference": "crm/42" }));
        newest(&world, "delayed");
        assert_eq!(status(&world).await, json!({ "status": "pending" }));
        world.tables.put("connection_attempts", &"0a".repeat(16), json!({ "reference": { "S": "crm/43" } }));
        assert_eq!(status(&world).await, json!({ "status": "pending", "reference": "crm/43" }));
        newest(&world, "unconfirmed");
        assert_eq!(status(&world).await, json!({ "status": "unconfirmed", "reference": "crm/43" }));
    }

    #[tokio::test]
    async fn a_chat_without_a_row_is_never_or_pending_by_its_newest_attempt() {
        let world = World::start().await;
        assert_eq!(status(&world).await, json!({ "status": "never" }));
        for (attempt, expected) in
            [("exchanging", "pending"), ("delayed", "pending"), ("unconfirmed", "unconfirmed"), ("failed", "never")]
        {
            newest(&world, attempt);
            assert_eq!(status(&world).await, json!({ "status": expected }), "{attempt}");
        }
        let asked = world.server.requests("Query").pop().unwrap().json();
        assert_eq!((&asked["IndexName"], &asked["Limit"]), (&json!("by_chat"), &json!(1)));
        assert_eq!((&asked["ScanIndexForward"], &asked["TableName"]), (&json!(false), &json!("connection_attempts")));
    }

    #[tokio::test]
    async fn an_ended_connection_says_why_until_a_login_is_under_way() {
        let world = World::start().await;
        world.put(json!({
            "wa_id": { "S": CHAT },
            "ended_at": { "N": "5" },
            "ended_reason": { "S": "disconnected" },
            "username": { "S": "ada@example.com" },
        }));
        newest(&world, "ended");
        let ended = json!({ "status": "ended", "reason": "disconnected", "username": "ada@example.com" });
        assert_eq!(status(&world).await, ended);
        newest(&world, "exchanging");
        assert_eq!(status(&world).await, json!({ "status": "pending" }));
        newest(&world, "unconfirmed");
        assert_eq!(status(&world).await, json!({ "status": "unconfirmed" }));
    }

    #[tokio::test]
    async fn a_connected_chat_is_connected_whatever_login_waits_for_its_code() {
        let world = World::start().await;
        world.put(world.connected(1));
        newest(&world, "unconfirmed");
        assert_eq!(status(&world).await["status"], "connected");
    }

    #[tokio::test]
    async fn without_the_index_nothing_is_pending() {
        let world = World::start().await;
        world.server.on("Query", |_| error("ValidationException"));
        assert_eq!(status(&world).await, json!({ "status": "never" }));
        world.server.on("Query", |_| error("AccessDeniedException"));
        assert_eq!(world.call("status", &chat()).await.status_code, 503);
    }
}

mod disconnect {
    use super::*;

    #[tokio::test]
    async fn a_connection_ends_at_once_and_its_tokens_are_revoked() {
        let world = World::start().await;
        world.put(world.connected(1));
        let answer = world.call("disconnect", &chat()).await;
        assert_eq!((answer.status_code, &answer.body), (204, &Some(Body::Empty)));
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert!(!answer.headers.contains_key("content-type"));
        let row = world.row();
        assert_eq!((&row["access_token"], &row["refresh_token"]), (&Value::Null, &Value::Null));
        assert_eq!(row["ended_reason"]["S"], "disconnected");
        let [record] = &world.tables.items("connection_attempts")[..] else { panic!("one record") };
        assert_eq!((&record["status"]["S"], &record["reason"]["S"]), (&json!("ended"), &json!("disconnected")));
        let revoked = world.server.only_request(REVOKE).form();
        assert!(revoked.contains(&("token".to_owned(), "5AepOLD".to_owned())), "{revoked:?}");
        let queued = world.server.only_request("SendMessage").json();
        assert!(!queued.to_string().contains("5AepOLD"), "sealed: {queued}");
        assert_eq!(world.call("token", &chat()).await.status_code, 409);
    }

    #[tokio::test]
    async fn a_chat_without_a_connection_is_answered_alike_and_nothing_is_written() {
        let world = World::start().await;
        assert_eq!(world.call("disconnect", &chat()).await.status_code, 204);
        world.put(world.connected(1));
        for _ in 0..2 {
            assert_eq!(world.call("disconnect", &chat()).await.status_code, 204);
        }
        assert_eq!(world.server.count("TransactWriteItems"), 1);
        assert_eq!(world.server.count(REVOKE), 1);
    }

    #[tokio::test]
    async fn salesforce_need_not_answer() {
        let world = World::start().await;
        world.put(world.connected(1));
        world.server.on(REVOKE, |_| Answer::new(503, "down"));
        assert_eq!(world.call("disconnect", &chat()).await.status_code, 204);
        assert_eq!(world.row()["ended_reason"]["S"], "disconnected");
        assert_eq!(world.server.count("SendMessage"), 1, "revoked later");
    }
}

mod refused {
    use super::*;

    #[tokio::test]
    async fn a_caller_without_an_identity_is_refused_before_its_body_is_read() {
        let world = World::start().await;
        for call in CALLS {
            for body_text in [chat().to_string(), "no json".to_owned()] {
                let mut event = request(call, &body_text);
                event["requestContext"]["authorizer"].take();
                let answer = world.send(event).await;
                assert_eq!((answer.status_code, &body(&answer)["error"]), (403, &json!("forbidden")), "{call}");
            }
        }
        assert_eq!(world.server.operations(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_bad_body_is_refused_without_a_word_of_it_and_without_asking_anybody() {
        let logs = Logs::capture();
        let world = World::start().await;
        let long = format!(r#"{{"wa_id":"{CHAT}","note":"s3cret{}"}}"#, "x".repeat(4_096));
        let everywhere = ["s3cret", "{}", "[]", "", r#"{"wa_id":"s3cret"}"#, r#"{"wa_id":["s3cret"]}"#, &long];
        let of_token = [r#""rejected":"s3cret""#, r#""min_validity":"s3cret""#, r#""min_validity":7201"#];
        let of_token = of_token.map(|field| format!(r#"{{"wa_id":"{CHAT}",{field}}}"#));
        let all = CALLS.iter().flat_map(|call| everywhere.iter().map(move |text| (*call, (*text).to_owned())));
        for (call, text_sent) in all.chain(of_token.map(|text| ("token", text))) {
            for event in [request(call, &text_sent), encoded(call, &text_sent)] {
                let answer = world.send(event).await;
                assert_eq!(
                    (answer.status_code, &body(&answer)["error"]),
                    (400, &json!("invalid_request")),
                    "{text_sent}"
                );
                assert!(!text(&answer).contains("s3cret") && !text(&answer).contains("1555"), "{}", text(&answer));
            }
        }
        assert_eq!(world.server.operations(), Vec::<String>::new());
        assert_eq!(world.asked_salesforce(), 0);
        assert!(!logs.text().contains("s3cret"));
    }

    /// As API Gateway passes on what it takes for binary.
    fn encoded(call: &str, body: &str) -> Value {
        let mut event = request(call, &STANDARD.encode(body));
        event["isBase64Encoded"] = true.into();
        event
    }

    #[tokio::test]
    async fn a_body_that_comes_encoded_is_read() {
        let world = World::start().await;
        world.put(world.connected(1));
        assert_eq!(world.send(encoded("token", &chat().to_string())).await.status_code, 200);
    }

    #[tokio::test]
    async fn another_route_is_not_found() {
        let world = World::start().await;
        let answer = world.call("other", &chat()).await;
        assert_eq!((answer.status_code, &body(&answer)["error"]), (404, &json!("not_found")));
    }
}

#[tokio::test]
async fn a_call_logs_one_line_of_its_own_and_no_address_or_token() {
    let logs = Logs::capture();
    let world = World::start().await;
    // A chat of this test's own, since the log is the whole binary's.
    let chat = "whatsapp:+15550009999";
    let mut row = world.connected(60);
    row["wa_id"] = json!({ "S": chat });
    world.tables.put("salesforce_tokens", chat, row);
    for call in ["token", "status", "disconnect", "token"] {
        world.call(call, &json!({ "wa_id": chat })).await;
    }
    let logged = logs.text();
    for secret in ["15550009999", OLD_TOKEN, NEW_TOKEN, "5Aep", "sealed:", CLIENT_SECRET] {
        assert!(!logged.contains(secret), "{secret} is in the log");
    }
    let lines: Vec<_> = logged.lines().filter(|line| line.contains("request refused")).collect();
    let ended = lines.iter().filter(|line| line.contains("needs_reauthorization") && line.contains("disconnected"));
    assert!(ended.count() >= 1, "{lines:?}");
    assert!(logged.contains("TokenCallDuration") && logged.contains("POST /connections/token"));
}
