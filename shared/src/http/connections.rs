//! The connections of one piece of work: opened ahead beside what must come first, kept between its requests, ended with it.
//!
//! A request is written to a connection once, and never again. hyper gives one back that it has not begun to write, because
//! the connection had ended before; that one alone goes to another connection.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, Uri,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
};
use tokio::{
    task::{JoinHandle, yield_now},
    time::{Instant, timeout, timeout_at},
};
use tower_service::Service as _;
use url::Url;

use super::{Client, Error, request};

/// The most response headers that are read. Gateways in front of Salesforce add many; hyper's own limit is 100.
const MAX_RESPONSE_HEADERS: usize = 512;
/// A connection that was not used for so long is not used any more: a gateway may have forgotten it without a word.
const IDLE: Duration = Duration::from_secs(5);
/// For the runtime to learn from the kernel that a connection has ended, and for the connection's task to act on it.
const STEPS_TO_NOTICE: usize = 2;

type Body = Full<Bytes>;

/// The connections of one piece of work. Clones share them, and they end with the last one.
#[derive(Clone)]
pub struct Connections {
    client: Client,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// A connection that waits for a request to its origin.
struct Kept {
    origin: String,
    line: Line,
    since: Instant,
}

enum Line {
    Opening(Opening),
    Open(SendRequest<Body>),
}

/// A connection that is being opened; no more, once nobody waits for it.
struct Opening(JoinHandle<Result<SendRequest<Body>, Error>>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that a request was answered on, until the answer is read to its end.
pub(super) struct InUse {
    origin: String,
    sender: SendRequest<Body>,
}

impl Connections {
    pub(super) fn of(client: Client) -> Self {
        Self { client, kept: Arc::default() }
    }

    /// Begins to open a connection to the origin of this URL, for the next request that goes there. If that fails, the request
    /// connects anew.
    pub fn open_ahead(&self, url: &Url) {
        let (client, to) = (self.client.clone(), url.clone());
        let opening = Opening(tokio::spawn(async move { client.open(&to).await }));
        self.keep(origin(url), Line::Opening(opening));
    }

    /// A request.
    #[must_use]
    pub fn get(&self, url: Url) -> request::Request {
        request::Request::new(self.clone(), Method::GET, url)
    }

    /// A request.
    #[must_use]
    pub fn post(&self, url: Url) -> request::Request {
        request::Request::new(self.clone(), Method::POST, url)
    }

    pub(super) fn total(&self) -> Duration {
        self.client.0.total
    }

    /// Sends a request, once, and returns its answer, of which the body is still to be read.
    pub(super) async fn send(
        &self,
        url: &Url,
        request: Request<Body>,
        until: Instant,
    ) -> Result<(Response<Incoming>, InUse), Error> {
        let request = match self.usable(url, until).await {
            Some(kept) => match ask(kept, request, until).await {
                Ok((answer, sender)) => return Ok((answer, InUse { origin: origin(url), sender })),
                Err(Unanswered::Sent(error)) => return Err(error),
                Err(Unanswered::NotSent(request, _)) => *request,
            },
            None => request,
        };
        let opened = timeout_at(until, self.client.open(url)).await;
        let opened = opened.unwrap_or_else(|_| Err(Error::connect("no connection in time")))?;
        match ask(opened, request, until).await {
            Ok((answer, sender)) => Ok((answer, InUse { origin: origin(url), sender })),
            Err(Unanswered::Sent(error)) => Err(error),
            Err(Unanswered::NotSent(_, error)) => Err(Error::connect(error)),
        }
    }

    /// Keeps a connection whose answer was read to its end for the next request.
    pub(super) fn release(&self, InUse { origin, sender }: InUse) {
        if !sender.is_closed() {
            self.keep(origin, Line::Open(sender));
        }
    }

    /// A kept connection that is open, as far as this side knows.
    async fn usable(&self, url: &Url, until: Instant) -> Option<SendRequest<Body>> {
        loop {
            let Kept { line, since, .. } = self.take(&origin(url))?;
            let mut sender = match line {
                Line::Open(sender) => sender,
                Line::Opening(mut opening) => match timeout_at(until, &mut opening.0).await {
                    Ok(Ok(Ok(sender))) => sender,
                    _ => continue,
                },
            };
            for _ in 0..STEPS_TO_NOTICE {
                yield_now().await;
            }
            if since.elapsed() < IDLE && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn keep(&self, origin: String, line: Line) {
        self.kept().push(Kept { origin, line, since: Instant::now() });
    }

    fn take(&self, origin: &str) -> Option<Kept> {
        let mut kept = self.kept();
        let found = kept.iter().position(|kept| kept.origin == origin)?;
        Some(kept.remove(found))
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Client {
    /// Opens a connection: name, TCP, TLS.
    async fn open(&self, url: &Url) -> Result<SendRequest<Body>, Error> {
        let opening = async {
            let uri: Uri = url.as_str().parse().map_err(Error::connect)?;
            #[cfg(feature = "proxy")]
            if let Some(tunnel) = self.0.proxies.as_ref().and_then(|proxies| proxies.tunnel(&uri)) {
                return shake_hands(tunnel.await.map_err(Error::Connect)?).await;
            }
            shake_hands(self.0.https.clone().call(uri).await.map_err(Error::Connect)?).await
        };
        timeout(self.0.connect, opening).await.unwrap_or_else(|_| Err(Error::connect("no connection in time")))
    }
}

/// HTTP/1.1, which sends nothing yet.
async fn shake_hands(
    stream: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
) -> Result<SendRequest<Body>, Error> {
    let handshake = http1::Builder::new().max_headers(MAX_RESPONSE_HEADERS).handshake(stream);
    let (sender, connection) = handshake.await.map_err(Error::connect)?;
    tokio::spawn(async move {
        // What is wrong with it the request learns that is on it.
        let _ = connection.await;
    });
    Ok(sender)
}

enum Unanswered {
    /// Nothing was written.
    NotSent(Box<Request<Body>>, hyper::Error),
    Sent(Error),
}

async fn ask(
    mut sender: SendRequest<Body>,
    request: Request<Body>,
    until: Instant,
) -> Result<(Response<Incoming>, SendRequest<Body>), Unanswered> {
    match timeout_at(until, sender.try_send_request(request)).await {
        Ok(Ok(answer)) => Ok((answer, sender)),
        Ok(Err(mut error)) => Err(match error.take_message() {
            Some(request) => Unanswered::NotSent(Box::new(request), error.into_error()),
            None => Unanswered::Sent(Error::lost(error.into_error())),
        }),
        Err(_) => Err(Unanswered::Sent(Error::TimedOut)),
    }
}

/// Scheme, host and port.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests;
