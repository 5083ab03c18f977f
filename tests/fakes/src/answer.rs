//! What an endpoint answers.

use std::io;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

/// What an endpoint answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A response.
    Response {
        /// HTTP's.
        status: u16,
        /// One header more than the usual ones.
        header: Option<(&'static str, &'static str)>,
        /// JSON, mostly.
        body: String,
    },
    /// The headers of a response with this status, and then a body that never ends.
    Endless(u16),
    /// The request arrives, and the connection breaks.
    Lost,
    /// The request arrives, and nothing comes back.
    Never,
}

impl Answer {
    /// A response.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self::Response { status, header: None, body: body.into() }
    }

    /// A response with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string())
    }

    /// 503 with `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(seconds: &'static str) -> Self {
        Self::Response { status: 503, header: Some(("retry-after", seconds)), body: String::new() }
    }

    pub(crate) async fn into_response(self) -> Response {
        match self {
            Self::Response { status, header, body } => {
                let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
                if let Some((name, value)) = header {
                    response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
                }
                response
            }
            Self::Endless(status) => {
                let endless = futures::stream::repeat_with(|| Ok::<_, io::Error>("x".repeat(16 * 1024)));
                (StatusCode::from_u16(status).unwrap(), Body::from_stream(endless)).into_response()
            }
            Self::Lost => {
                let broken = futures::stream::once(async { Err::<String, _>(io::Error::other("gone")) });
                Body::from_stream(broken).into_response()
            }
            Self::Never => std::future::pending().await,
        }
    }
}

impl From<Value> for Answer {
    fn from(body: Value) -> Self {
        Self::json(200, &body)
    }
}
