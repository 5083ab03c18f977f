//! The server, its endpoints and the requests that it got.

use std::{
    fmt,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Method, Uri},
};
use tokio::net::TcpListener;

use crate::{ANY, Answer, Request};

type Handler = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// A server on a local port, until the test's runtime ends.
#[derive(Clone)]
pub struct Server {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The usual answers; a later one replaces an earlier one.
    endpoints: Vec<(&'static str, Handler)>,
    /// Answers to come, each for one request.
    script: Vec<(&'static str, Answer)>,
    /// What every request is answered.
    outage: Option<Answer>,
    requests: Vec<Request>,
}

impl Server {
    /// A server without endpoints.
    pub async fn start() -> Self {
        let (listener, server) = Self::bind().await;
        let endpoints = server.clone();
        let serve = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Request { method, path: uri.path().to_owned(), headers, body };
            endpoints.answer(&request).into_response().await
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(serve)).await });
        server
    }

    /// A server that gives the same response to every request but those to AWS.
    pub async fn answering(status: u16, body: &str) -> Self {
        let server = Self::start().await;
        let answer = Answer::new(status, body);
        server.on(ANY, move |_| answer.clone());
        server
    }

    /// A URL where no server listens.
    pub async fn gone() -> Self {
        Self::bind().await.1
    }

    async fn bind() -> (TcpListener, Self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, Self { url, state: Arc::default() })
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets what an endpoint usually answers.
    pub fn on(&self, endpoint: &'static str, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        self.state().endpoints.push((endpoint, Arc::new(answer)));
    }

    /// Queues the answer to one request to an endpoint, before its usual answer.
    pub fn next(&self, endpoint: &'static str, answer: impl Into<Answer>) {
        self.state().script.push((endpoint, answer.into()));
    }

    /// Drops what [`Self::next`] has queued.
    pub fn forget_script(&self) {
        self.state().script.clear();
    }

    /// Gives this answer to every request, until [`Self::recover`].
    pub fn fail(&self, answer: Answer) {
        self.state().outage = Some(answer);
    }

    /// Ends what [`Self::fail`] began.
    pub fn recover(&self) {
        self.state().outage = None;
    }

    /// What an endpoint was asked, in order.
    #[must_use]
    pub fn requests(&self, endpoint: &str) -> Vec<Request> {
        self.requests_after(endpoint, 0)
    }

    /// How often an endpoint was asked.
    #[must_use]
    pub fn count(&self, endpoint: &str) -> usize {
        self.state().requests.iter().filter(|request| request.reaches(endpoint)).count()
    }

    /// What an endpoint was asked after so many requests, in order.
    #[must_use]
    pub fn requests_after(&self, endpoint: &str, count: usize) -> Vec<Request> {
        self.state().requests.iter().filter(|request| request.reaches(endpoint)).skip(count).cloned().collect()
    }

    /// The one request that an endpoint got.
    #[must_use]
    pub fn only_request(&self, endpoint: &str) -> Request {
        let [request] = self.requests(endpoint).try_into().expect("one request");
        request
    }

    /// The operations of AWS that were asked for, in order.
    #[must_use]
    pub fn operations(&self) -> Vec<String> {
        self.state().requests.iter().filter_map(|request| request.operation().map(str::to_owned)).collect()
    }

    fn answer(&self, request: &Request) -> Answer {
        let mut state = self.state();
        state.requests.push(request.clone());
        if let Some(answer) = &state.outage {
            return answer.clone();
        }
        if let Some(next) = state.script.iter().position(|(endpoint, _)| request.reaches(endpoint)) {
            return state.script.remove(next).1;
        }
        let usual = state.endpoints.iter().rev().find(|(endpoint, _)| request.reaches(endpoint));
        let usual = usual.map(|(_, answer)| Arc::clone(answer));
        // A handler may ask the server what it was asked before.
        drop(state);
        let Some(usual) = usual else {
            panic!("unexpected request: {} {} {:?}", request.method, request.path, request.operation());
        };
        usual(request)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}
