//! What an endpoint was asked.

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};
use serde_json::Value;

/// What an endpoint was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// HTTP's.
    pub method: Method,
    /// Without a query.
    pub path: String,
    /// With names in lower case.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Request {
    /// A header, which must be there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The body, which must be JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The fields of a form, in their order.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The operation of AWS's JSON protocol, where it is a request of that.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.headers.get("x-amz-target")?.to_str().unwrap().rsplit('.').next()
    }

    pub(crate) fn reaches(&self, endpoint: &str) -> bool {
        match self.operation() {
            // AWS's JSON protocols have one address: <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>.
            Some(operation) => operation == endpoint && self.method == Method::POST && self.path == "/",
            None => self.path.ends_with(endpoint),
        }
    }
}
