//! The HTTP client under the AWS clients: HTTP/1.1, over TLS by ring, and a pool.
//!
//! The SDK's own client comes with HTTP/2, proxies and pools that AWS's endpoints never ask for; they
//! were a sixth of the receiver's binary. What the SDK expects of a client is kept: connections are
//! reused, one that failed is not used again, and errors say whether another try makes sense.
//!
//! A connection can be opened ahead of the first request for it: names are resolved and keys agreed
//! while the function prepares that request.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    connection::{CaptureSmithyConnection, ConnectionMetadata},
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{self, Client, connect},
    rt::{TokioExecutor, TokioIo},
};
use rustls::{RootCertStore, client::Resumption};
use tokio::{net::TcpStream, task::JoinHandle};
use tower_service::Service;

use crate::tls;

/// TLS sessions that are kept for the next connections: eight each of four services. rustls makes room for all of
/// them at the start.
const SESSIONS: usize = 4 * 8;

/// An HTTP client for the SDK.
#[derive(Clone)]
pub struct Http1 {
    client: Client<Connector, SdkBody>,
    connector: Connector,
}

impl Http1 {
    /// A client that judges servers by these roots, and gives up a connection after `connect`.
    ///
    /// What else takes long is ended from outside: the SDK has a time for each try.
    #[must_use]
    pub fn new(roots: RootCertStore, connect: Duration) -> Self {
        let mut tcp = connect::HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect));
        let mut tls = tls::client_config(roots);
        tls.resumption = Resumption::in_memory_sessions(SESSIONS);
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let connector = Connector { https: https.wrap_connector(tcp), opened: Arc::default() };
        Self { client: Client::builder(TokioExecutor::new()).build(connector.clone()), connector }
    }

    /// Begins to open a connection, on this thread's runtime, for the next request to the same place that needs one.
    /// If it fails, the request tries for itself.
    pub fn open_ahead(&self, to: Uri) {
        let mut https = self.connector.https.clone();
        let place = to.clone();
        let connection = tokio::spawn(async move { https.call(to).await.ok() });
        self.connector.opened().push((place, connection));
    }

    /// What the SDK takes for a client.
    #[must_use]
    pub fn for_sdk(self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self);
        http_client_fn(move |_, _| connector.clone())
    }
}

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
type Opened = Vec<(Uri, JoinHandle<Option<Connection>>)>;

/// Opens connections, or hands out those that were opened ahead.
#[derive(Clone)]
struct Connector {
    https: HttpsConnector<connect::HttpConnector>,
    opened: Arc<Mutex<Opened>>,
}

impl Connector {
    fn opened(&self) -> std::sync::MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to this place that was opened ahead, or is about to be.
    fn take(&self, to: &Uri) -> Option<JoinHandle<Option<Connection>>> {
        let mut opened = self.opened();
        let is_there = |(place, _): &(Uri, _)| place.scheme() == to.scheme() && place.authority() == to.authority();
        opened.iter().position(is_there).map(|found| opened.swap_remove(found).1)
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(opened) = self.take(&to) else { return Box::pin(self.https.call(to)) };
        let mut https = self.https.clone();
        Box::pin(async move {
            match opened.await {
                Ok(Some(connection)) => Ok(connection),
                _ => https.call(to).await,
            }
        })
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1").finish_non_exhaustive()
    }
}

impl HttpConnector for Http1 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let used = connect::capture_connection(&mut request);
        if let Some(asker) = request.extensions().get::<CaptureSmithyConnection>() {
            asker.set_connection_retriever(move || metadata(used.clone()));
        }
        let answer = self.client.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(connector_error)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Lets the SDK have a connection thrown away on which a try has failed.
fn metadata(used: connect::CaptureConnection) -> Option<ConnectionMetadata> {
    let is_there = used.connection_metadata().is_some();
    let poison = move || {
        if let Some(connection) = used.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    is_there.then(|| ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// What failed on its way is worth another try; what was wrong in itself is not.
fn connector_error(error: legacy::Error) -> ConnectorError {
    let cause = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
    match cause {
        None if error.is_connect() => ConnectorError::io(error.into()),
        None => ConnectorError::other(error.into(), None),
        Some(cause) if cause.is_timeout() => ConnectorError::timeout(error.into()),
        Some(cause) if cause.is_user() => ConnectorError::user(error.into()),
        Some(cause) if cause.is_parse() => ConnectorError::other(error.into(), None),
        Some(_) => ConnectorError::io(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::{Ipv4Addr, SocketAddr},
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Answers each connection's first request with these bytes, and ends it.
    async fn server(answer: &'static [u8]) -> io::Result<String> {
        let (url, _) = server_at((Ipv4Addr::LOCALHOST, 0).into(), answer).await?;
        Ok(url)
    }

    /// The same at this address; counts its connections.
    async fn server_at(address: SocketAddr, answer: &'static [u8]) -> io::Result<(String, Arc<AtomicUsize>)> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let _ = connection.read(&mut [0; 1024]).await;
                let _ = connection.write_all(answer).await;
            }
        });
        Ok((url, connections))
    }

    fn client() -> Http1 {
        Http1::new(RootCertStore::empty(), Duration::from_secs(1))
    }

    async fn ask(url: &str) -> Result<HttpResponse, ConnectorError> {
        ask_by(&client(), url).await
    }

    async fn ask_by(client: &Http1, url: &str) -> Result<HttpResponse, ConnectorError> {
        let mut request = HttpRequest::new(SdkBody::from("body"));
        request.set_uri(url).unwrap();
        client.call(request).await
    }

    #[tokio::test]
    async fn an_answer_comes_back_with_its_body() {
        let url = server(b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone").await.unwrap();
        let answer = ask(&url).await.unwrap();
        assert_eq!(answer.status().as_u16(), 404);
        assert_eq!(
            aws_smithy_types::byte_stream::ByteStream::new(answer.into_body()).collect().await.unwrap().to_vec(),
            b"gone"
        );
    }

    #[tokio::test]
    async fn what_broke_off_or_never_began_is_worth_another_try() {
        let cut = server(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        assert!(ask(&cut).await.unwrap_err().is_io());
        assert!(ask("http://127.0.0.1:1/").await.unwrap_err().is_io());
        assert!(ask("http://nobody.invalid/").await.unwrap_err().is_io());
    }

    #[tokio::test]
    async fn nonsense_is_not() {
        let nonsense = server(b"SSH-2.0\r\n\r\n").await.unwrap();
        let error = ask(&nonsense).await.unwrap_err();
        assert!(!error.is_io() && !error.is_timeout(), "{error:?}");
    }

    const FINE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn a_request_takes_the_connection_that_was_opened_ahead_to_its_place() {
        let (here, connections) = server_at((Ipv4Addr::LOCALHOST, 0).into(), FINE).await.unwrap();
        let (elsewhere, others) = server_at((Ipv4Addr::LOCALHOST, 0).into(), FINE).await.unwrap();
        let client = client();
        client.open_ahead(here.parse().unwrap());
        assert_eq!(ask_by(&client, &elsewhere).await.unwrap().status().as_u16(), 200);
        assert_eq!(ask_by(&client, &format!("{here}queue?x=1")).await.unwrap().status().as_u16(), 200);
        assert_eq!((connections.load(Ordering::Relaxed), others.load(Ordering::Relaxed)), (1, 1));
        assert!(client.connector.opened().is_empty());
    }

    #[tokio::test]
    async fn a_connection_that_could_not_be_opened_ahead_is_opened_again() {
        let place = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let client = client();
        client.open_ahead(format!("http://{place}/").parse().unwrap());
        while client.connector.opened().iter().any(|(_, connection)| !connection.is_finished()) {
            tokio::task::yield_now().await;
        }
        let (url, _) = server_at(place, FINE).await.unwrap();
        assert_eq!(ask_by(&client, &url).await.unwrap().status().as_u16(), 200);
    }
}
