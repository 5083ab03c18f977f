//! A server on this machine that answers as it is told and remembers what it was asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri},
};
use serde_json::Value;
use shared::Timestamp;
use tokio::net::TcpListener;
use url::Url;

#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) struct LocalServer {
    url: Url,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl LocalServer {
    /// Answers every request alike.
    pub(crate) async fn answering(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::start(move |_| (status, body.clone())).await
    }

    /// Answers each request as `answer` says.
    pub(crate) async fn start(answer: impl Fn(&Request) -> (u16, String) + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let meet = async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Request { path: uri.path().to_owned(), headers, body };
            seen.lock().unwrap().push(request.clone());
            let (status, body) = answer(&request);
            (StatusCode::from_u16(status).unwrap(), body)
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(meet)).await });
        Self { url, requests }
    }

    /// An address where nobody answers.
    pub(crate) async fn gone() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        Self { url, requests: Arc::default() }
    }

    pub(crate) fn client() -> reqwest::Client {
        shared::http::client(shared::http::Roots::default(), Duration::from_secs(2), Duration::from_secs(5)).unwrap()
    }

    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "requests");
        requests[0].clone()
    }
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// For verifiers that read the clock themselves.
pub(crate) fn real_now() -> Timestamp {
    shared::process::now()
}
