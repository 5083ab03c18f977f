//! Requests and responses, so that a test can assert "exactly once".
//!
//! `GET /control/journal` has for each endpoint, called or not,
//! `{"count", "succeeded", "records": […]}`. A record:
//!
//! - `seq`: the order over all endpoints; `at_ms`: when it was answered, by the unshifted clock;
//! - `wa_id`: the chat that it is about, or null;
//! - `asked`: `{"at_ms", "method", "body"}`, and `bearer_sha256` or `webhook_id` where there was one;
//! - `fault`: null, `answer`, `delay`, `later`, or `drop`, `kill` or `hold` with `_before` or `_after`;
//! - `succeeded`: whether the party carried out the request, even if its response was lost;
//! - `answered`: `{"status", "body"}`, or null where the connection was dropped;
//! - `verdict`: what Salesforce made of the token that it was asked for or about, see `Verdict`; null of other requests, and of
//!   those that were not processed.
//!
//! Requests of Salesforce's token endpoint with a refresh token are those of `salesforce.refresh`, and not of `salesforce.token`.
//!
//! Secrets are not stored: `code`, for example, becomes `code_sha256` (hex), which can still be
//! counted and compared.

use std::sync::Mutex;

use axum::http::{HeaderMap, StatusCode, header};
use ring::digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Endpoint, Verdict, verdict};
use crate::{
    fields::{Fields, bearer},
    lock,
};

/// Fields whose values are replaced by their hash.
const SECRET: [&str; 7] =
    ["code", "code_verifier", "client_secret", "access_token", "refresh_token", "token", "signature"];

/// A request and its outcome.
#[derive(Serialize)]
pub(crate) struct Record {
    seq: u64,
    at_ms: u64,
    endpoint: Endpoint,
    wa_id: Option<String>,
    asked: Value,
    fault: Option<&'static str>,
    succeeded: bool,
    answered: Option<Value>,
    verdict: Option<Verdict>,
}

/// The outcome of a request.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) fault: Option<&'static str>,
    pub(crate) succeeded: bool,
    pub(crate) answered: Option<Value>,
    pub(crate) verdict: Option<Verdict>,
}

/// Which records to read.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    wa_id: Option<String>,
    endpoint: Option<Endpoint>,
}

/// All records, oldest first.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<Record>>);

impl Journal {
    pub(crate) fn write(&self, at_ms: u64, endpoint: Endpoint, wa_id: Option<String>, asked: Value, outcome: Outcome) {
        let Outcome { fault, succeeded, answered, verdict } = outcome;
        let mut records = lock(&self.0);
        let seq = records.len() as u64 + 1;
        records.push(Record { seq, at_ms, endpoint, wa_id, asked, fault, succeeded, answered, verdict });
    }

    /// How often Salesforce came to each verdict, for one chat or at all.
    pub(crate) fn count(&self, wa_id: Option<&str>) -> Value {
        let records = lock(&self.0);
        let of_chat = records.iter().filter(|record| wa_id.is_none() || record.wa_id.as_deref() == wa_id);
        verdict::count(&of_chat.filter_map(|record| record.verdict).collect::<Vec<_>>())
    }

    pub(crate) fn read(&self, filter: &Filter) -> Value {
        let records = lock(&self.0);
        let endpoints =
            Endpoint::ALL.into_iter().filter(|endpoint| filter.endpoint.is_none_or(|only| only == *endpoint));
        let read = |endpoint: Endpoint| {
            let records: Vec<&Record> = records
                .iter()
                .filter(|record| record.endpoint == endpoint)
                .filter(|record| filter.wa_id.is_none() || record.wa_id == filter.wa_id)
                .collect();
            let succeeded = records.iter().filter(|record| record.succeeded).count();
            json!({"count": records.len(), "succeeded": succeeded, "records": records})
        };
        Value::Object(endpoints.map(|endpoint| (endpoint.name().to_owned(), read(endpoint))).collect())
    }
}

/// A request as it is stored.
pub(crate) fn asked(method: &str, headers: &HeaderMap, body: &[u8]) -> Value {
    let mut asked = json!({"method": method, "body": readable(headers, body)});
    if let Some(token) = bearer(headers) {
        asked["bearer_sha256"] = sha256(token).into();
    }
    if let Some(id) = headers.get("webhook-id").and_then(|id| id.to_str().ok()) {
        asked["webhook_id"] = id.into();
    }
    asked
}

/// A response as it is stored.
pub(crate) fn answered(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Value {
    json!({"status": status.as_u16(), "body": readable(headers, body)})
}

/// A form or JSON as an object without its secrets, anything else as text.
fn readable(headers: &HeaderMap, body: &[u8]) -> Value {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let pairs = Fields::parse(body);
        return hashed(pairs.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => hashed(object),
        Ok(other) => other,
        Err(_) => String::from_utf8_lossy(body).into(),
    }
}

fn hashed(object: Map<String, Value>) -> Value {
    let hash = |(name, value): (String, Value)| match value.as_str() {
        Some(secret) if SECRET.contains(&name.as_str()) => (format!("{name}_sha256"), sha256(secret).into()),
        _ => (name, value),
    };
    Value::Object(object.into_iter().map(hash).collect())
}

/// SHA-256 in hex.
pub(crate) fn sha256(text: &str) -> String {
    use std::fmt::Write as _;

    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_hashes_and_no_secrets() {
        let form = HeaderMap::from_iter([(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap())]);
        let kept = asked("POST", &form, b"code=abc&grant_type=authorization_code&client_secret=abc");
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            kept,
            json!({"method": "POST", "body": {
                "code_sha256": hash, "client_secret_sha256": hash, "grant_type": "authorization_code",
            }})
        );
        let kept = answered(StatusCode::OK, &HeaderMap::new(), br#"{"access_token":"abc","scope":"api"}"#);
        assert_eq!(kept, json!({"status": 200, "body": {"access_token_sha256": hash, "scope": "api"}}));
    }
}
