//! A request to a party outside AWS, and its answer, read to the end.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, InvalidHeaderValue, USER_AGENT},
};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{Connections, Error, MAX_BODY_BYTES};
use crate::gzip;

const AGENT: HeaderValue = HeaderValue::from_static(crate::AGENT);
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// A request that is not sent yet. It may hold secrets: it has no `Debug`.
pub struct Request {
    connections: Connections,
    method: Method,
    url: Url,
    headers: HeaderMap,
    /// The first value that is none.
    invalid: Option<InvalidHeaderValue>,
    body: Bytes,
    time: Duration,
}

/// A complete answer.
pub struct Answer {
    /// HTTP's.
    pub status: StatusCode,
    /// Of the answer.
    pub headers: HeaderMap,
    /// Up to 64 KiB, decompressed.
    pub body: Vec<u8>,
}

impl Request {
    pub(super) fn new(connections: Connections, method: Method, url: Url) -> Self {
        let time = connections.total();
        let headers = HeaderMap::from_iter([(USER_AGENT, AGENT), (ACCEPT, ANYTHING)]);
        let request = Self { connections, method, headers, invalid: None, body: Bytes::new(), time, url };
        match (request.url.username(), request.url.password()) {
            ("", None) => request,
            (user, password) => {
                let (user, password) = (decoded(user), decoded(password.unwrap_or_default()));
                request.basic_auth(&user, &password)
            }
        }
    }

    /// Sets a header, in place of another of its name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                value.set_sensitive(name == AUTHORIZATION);
                self.headers.insert(name, value);
            }
            Err(error) => self.invalid = self.invalid.or(Some(error)),
        }
        self
    }

    /// Authenticates by a token (RFC 6750 §2.1).
    #[must_use]
    pub fn bearer_auth(self, token: &str) -> Self {
        self.header(AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// Authenticates by a password (RFC 7617 §2).
    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        self.header(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// Sends these fields as a form.
    #[must_use]
    pub fn form<'a>(mut self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into();
        self.headers.insert(CONTENT_TYPE, FORM);
        self
    }

    /// Sends this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// How long the request may take, from connecting to the last byte of its answer.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Sends it, once, and reads the answer.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send(self) -> Result<Answer, Error> {
        let (connections, until) = (self.connections.clone(), Instant::now() + self.time);
        let (url, request) = self.into_http()?;
        // Boxed, since the future is large, and callers hold it while they do other things.
        let (answer, connection) = Box::pin(connections.send(&url, request, until)).await?;
        let (head, body) = answer.into_parts();
        let status = head.status;
        let body = timeout_at(until, read(body, status)).await.unwrap_or(Err(Error::TimedOut))?;
        connections.release(connection);
        let body = gzip::decompress(body, MAX_BODY_BYTES).map_err(|gzip::Broken| Error::Encoding(status))?;
        Ok(Answer { status, headers: head.headers, body })
    }

    /// Sends it, once, and reads nothing of the answer but its status.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn status(self) -> Result<StatusCode, Error> {
        let (connections, until) = (self.connections.clone(), Instant::now() + self.time);
        let (url, request) = self.into_http()?;
        Ok(Box::pin(connections.send(&url, request, until)).await?.0.status())
    }

    fn into_http(self) -> Result<(Url, hyper::Request<Full<Bytes>>), Error> {
        let Self { method, url, headers, invalid, body, .. } = self;
        if let Some(error) = invalid {
            return Err(Error::connect(error));
        }
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().map_err(Error::connect)?;
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, HeaderValue::from_str(host).map_err(Error::connect)?);
        Ok((url, request))
    }
}

/// A user or a password in a URL, without its percent encoding.
fn decoded(text: &str) -> String {
    let one_name = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(one_name.as_bytes()).map(|(text, _)| text.into_owned()).next().unwrap_or_default()
}

async fn read(mut body: Incoming, status: StatusCode) -> Result<Vec<u8>, Error> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Error::lost)?;
        let Some(data) = frame.data_ref() else { continue };
        if read.len() + data.len() > MAX_BODY_BYTES {
            return Err(Error::TooLong(status));
        }
        read.extend_from_slice(data);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use fakes::{ANY, Answer, Server};

    use super::*;
    use crate::http::{Client, Roots};

    fn to(url: &str) -> Request {
        let client = Client::new(Roots::default(), Duration::from_secs(2), Duration::from_secs(5));
        client.connections().post(url.parse().unwrap())
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_a_limit() {
        for (length, is_read) in [(MAX_BODY_BYTES, true), (MAX_BODY_BYTES + 1, false), (300 * MAX_BODY_BYTES, false)] {
            let server = Server::answering(201, &"x".repeat(length)).await;
            let answer = to(server.url()).send().await;
            assert_eq!(answer.is_ok_and(|answer| answer.body.len() == length), is_read, "{length}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_in_time_was_sent() {
        let server = Server::start().await;
        server.on(ANY, |_| Answer::Never);
        let answer = to(server.url()).timeout(Duration::from_millis(200)).send().await;
        assert!(matches!(answer, Err(Error::TimedOut)));
        assert_eq!(server.requests(ANY).len(), 1);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer() {
        let server = Server::start().await;
        let header = Some(("location", "https://elsewhere.example/"));
        server.on(ANY, move |_| Answer::Response { status: 302, header, body: String::new() });
        assert_eq!(to(server.url()).send().await.ok().map(|answer| answer.status), Some(StatusCode::FOUND));
        assert_eq!(server.requests(ANY).len(), 1);
    }

    #[tokio::test]
    async fn a_request_has_what_was_asked_of_its_url() {
        let server = Server::answering(200, "").await;
        let url = server.url().replace("http://", "http://bot%40acme:s%2B3+%26c=ret@");
        to(&format!("{url}/events?key=a%20b#fragment")).form([("a", "1 &=")]).send().await.map(drop).unwrap();
        let request = server.only_request(ANY);
        assert_eq!(request.path, "/events");
        assert_eq!(request.header("host"), server.url().trim_start_matches("http://"));
        assert_eq!(request.header("authorization"), format!("Basic {}", STANDARD.encode("bot@acme:s+3+&c=ret")));
        assert_eq!(request.form(), [("a".to_owned(), "1 &=".to_owned())]);
    }

    #[tokio::test]
    async fn a_header_that_is_none_is_not_sent() {
        let server = Server::answering(200, "").await;
        let answer = to(server.url()).bearer_auth("to\nken").send().await;
        assert!(matches!(answer, Err(Error::Connect(_))));
        assert!(server.requests(ANY).is_empty());
    }
}
