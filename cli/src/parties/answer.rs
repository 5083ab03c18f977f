//! An answer as it came, before anybody takes it for a party's own. A status proves nothing by itself: a page of maintenance,
//! of a firewall or of a proxy has any.

use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;

use crate::http::{content, failure};

/// Longer than any error code of a party's.
const LONGEST_CODE: usize = 64;
/// More than any party's own answer has. Of a longer one the rest is not read.
const MAX_BYTES: usize = 64 * 1024;

pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// Sends the request, and reads [`MAX_BYTES`] of the answer at most; why there is none, or one that broke off before.
    pub(super) async fn to(request: RequestBuilder) -> Result<Self, &'static str> {
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while body.len() < MAX_BYTES {
            let Some(part) = response.chunk().await.map_err(|error| failure(&error))? else { break };
            body.extend_from_slice(&part);
        }
        body.truncate(MAX_BYTES);
        Ok(Self { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The header's value; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body, where it is JSON; `null` where it is not.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(super) fn is_success(&self) -> bool {
        (200..=299).contains(&self.status)
    }

    /// Whether the body is a document for people.
    pub(super) fn is_page(&self) -> bool {
        self.body.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('<')
    }

    /// The kind of content, as the end of a sentence: `with a page`.
    pub(super) fn content(&self) -> &'static str {
        content(&self.body)
    }

    /// What it is, where it is neither `expected` nor the party's error: `status 404 with a page, no OAuth error`.
    pub(super) fn seen(&self, expected: &str, error: &str) -> String {
        let (status, what) = (self.status, self.content());
        let expected = if self.is_success() { expected } else { error };
        match status {
            408 => "timed out (status 408)".to_owned(),
            429 => "rate limited (status 429)".to_owned(),
            500.. => format!("server error (status {status})"),
            300..=399 => format!("status {status}, which leads elsewhere"),
            _ => format!("status {status} {what}, no {expected}"),
        }
    }
}

/// A code that can be shown: lower-case words, as in OAuth's errors.
pub(super) fn is_code(text: &str) -> bool {
    (1..=LONGEST_CODE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Read as _, Write as _};

    use reqwest::Url;

    use super::*;
    use crate::http::client_for;

    pub(in super::super) fn answer(status: u16, body: &str) -> Answer {
        with_headers(status, &[], body)
    }

    pub(in super::super) fn leading_to(status: u16, location: &str) -> Answer {
        with_headers(status, &[("location", location)], "")
    }

    pub(in super::super) fn with_headers(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Answer { status, headers, body: body.to_owned() }
    }

    #[test]
    fn what_is_seen_is_the_status_and_the_kind_of_content() {
        for (status, body, seen) in [
            (200, "<!doctype html>", "status 200 with a page, no login page"),
            (200, r#"{"ok":true}"#, "status 200 with JSON, no login page"),
            (404, "\u{feff}\r\n <html>", "status 404 with a page, no OAuth error"),
            (401, r#"{"error":"Forbidden"}"#, "status 401 with JSON, no OAuth error"),
            (403, "Forbidden", "status 403 with a text, no OAuth error"),
            (401, "\n", "status 401 without content, no OAuth error"),
            (302, "<html>", "status 302, which leads elsewhere"),
            (503, "{}", "server error (status 503)"),
        ] {
            assert_eq!(answer(status, body).seen("login page", "OAuth error"), seen);
        }
    }

    /// Answers one request with a body that has no end, until nobody reads it any more.
    fn endless() -> Url {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut asked, _) = listener.accept().unwrap();
            let _ = asked.read(&mut [0; 4096]);
            let _ = asked.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\n\r\n");
            while asked.write_all(&[b'a'; 4096]).is_ok() {}
        });
        format!("http://127.0.0.1:{port}/").parse().unwrap()
    }

    #[tokio::test]
    async fn of_an_endless_answer_the_beginning_is_judged() {
        let url = endless();
        let answer = Answer::to(client_for(&url).unwrap().get(url)).await;
        let answer = answer.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((answer.status, answer.body.len(), answer.content()), (401, MAX_BYTES, "with a text"));
    }
}
