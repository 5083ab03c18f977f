//! The HTTP client under the AWS clients: HTTP/1.1, over TLS by ring, and a pool.
//!
//! The SDK's own client comes with HTTP/2, proxies and pools that AWS's endpoints never ask for; they
//! were a sixth of the receiver's binary. What the SDK expects of a client is kept: connections are
//! reused, one that failed is not used again, and errors say whether another try makes sense.
//!
//! A connection can be opened ahead of the first request for it: names are resolved and keys agreed
//! while the function prepares that request. And a request can be a [`Rehearsal`].

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    future::{poll_fn, ready},
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
    vec,
};

use aws_smithy_runtime_api::client::{
    connection::{CaptureSmithyConnection, ConnectionMetadata},
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use hyper::{
    Response, Uri,
    rt::{Read as _, ReadBuf},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        self, Client,
        connect::{
            self,
            dns::{GaiResolver, Name},
        },
    },
    rt::{TokioExecutor, TokioIo},
};
use rustls::{RootCertStore, client::Resumption};
use tokio::{net::TcpStream, task::yield_now};
use tower_service::Service;
use tracing::warn;

use crate::tls;

/// TLS sessions that are kept for the next connections: eight each of four services. rustls makes room for all of
/// them at the start.
const SESSIONS: usize = 4 * 8;

/// An HTTP client for the SDK.
#[derive(Clone)]
pub struct Http1 {
    client: Client<Connector, SdkBody>,
    connector: Connector,
    names: Names,
}

impl Http1 {
    /// A client that judges servers by these roots, and gives up a connection after `connect`.
    ///
    /// What else takes long is ended from outside: the SDK has a time for each try.
    #[must_use]
    pub fn new(roots: RootCertStore, connect: Duration) -> Self {
        let names = Names { resolved: Arc::default(), system: GaiResolver::new() };
        let mut tcp = connect::HttpConnector::new_with_resolver(names.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect));
        let mut tls = tls::client_config(roots);
        tls.resumption = Resumption::in_memory_sessions(SESSIONS);
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let connector = Connector { https: https.wrap_connector(tcp), opened: Arc::default() };
        Self { client: Client::builder(TokioExecutor::new()).build(connector.clone()), connector, names }
    }

    /// Begins to open a connection, on this thread's runtime, for the next request to the same place that needs one.
    /// If it fails, the request tries for itself.
    pub fn open_ahead(&self, to: Uri) {
        let mut https = self.connector.https.clone();
        let place = to.clone();
        let connection = tokio::spawn(async move { https.call(to).await });
        self.connector.opened().push_back((place, Box::pin(async { connection.await? })));
    }

    /// Resolves the name of this place for the next connection there, and blocks this thread: for the last of those that
    /// are opened together, since a thread less is made.
    pub fn resolve_here(&self, to: &Uri) {
        let resolved = to.host().and_then(|host| Some((host.to_owned(), (host, 0).to_socket_addrs().ok()?.collect())));
        *self.names.resolved() = resolved; // without an address, the connection resolves it again and says why
    }

    /// Waits for the connections that are being opened, each for the next request to its place that needs one.
    pub async fn opened(&self) {
        let count = self.connector.opened().len();
        for _ in 0..count {
            let next = self.connector.opened().pop_front();
            let Some((place, connection)) = next else { break };
            match connection.await {
                Ok(connection) => self.connector.opened().push_back((place, Box::pin(ready(Ok(connection))))),
                Err(error) => warn!(host = place.host(), error, "connection not opened"),
            }
        }
    }

    /// What the SDK takes for a client.
    #[must_use]
    pub fn for_sdk(self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self);
        http_client_fn(move |_, _| connector.clone())
    }
}

/// A request's extension: it is prepared and signed, and not sent. The answer is empty.
///
/// So a function does at its start, with a full core, what its first request would else do with a part of one, and
/// waits for no answer that would say nothing.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsal;

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
type Opening = Pin<Box<dyn Future<Output = Result<Connection, Box<dyn Error + Send + Sync>>> + Send>>;
type Opened = VecDeque<(Uri, Opening)>;

/// Opens connections, or hands out those that were opened ahead.
#[derive(Clone)]
struct Connector {
    https: HttpsConnector<connect::HttpConnector<Names>>,
    opened: Arc<Mutex<Opened>>,
}

impl Connector {
    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to this place that was opened ahead, or is about to be.
    fn take(&self, to: &Uri) -> Option<Opening> {
        let mut opened = self.opened();
        let is_there = |(place, _): &(Uri, _)| place.scheme() == to.scheme() && place.authority() == to.authority();
        let found = opened.iter().position(is_there)?;
        opened.remove(found).map(|(_, opening)| opening)
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
        let Some(opening) = self.take(&to) else { return Box::pin(self.https.call(to)) };
        let mut https = self.https.clone();
        Box::pin(async move {
            if let Ok(mut connection) = opening.await
                && is_open(&mut connection).await
            {
                return Ok(connection);
            }
            https.call(to).await
        })
    }
}

/// Resolves names as the system does, on threads of its own, but that one may have been resolved before.
#[derive(Clone)]
struct Names {
    resolved: Arc<Mutex<Resolved>>,
    system: GaiResolver,
}

type Resolved = Option<(String, Vec<SocketAddr>)>;

impl Names {
    fn resolved(&self) -> MutexGuard<'_, Resolved> {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<Name> for Names {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if let Some((_, addresses)) = self.resolved().take_if(|(known, _)| known == name.as_str()) {
            return Box::pin(ready(Ok(addresses.into_iter())));
        }
        let resolving = self.system.call(name);
        Box::pin(async { Ok(resolving.await?.collect::<Vec<_>>().into_iter()) })
    }
}

/// Has nobody ended it? It may have stood unused for as long as Lambda freezes a function.
async fn is_open(connection: &mut Connection) -> bool {
    yield_now().await; // to what the system has heard
    let mut byte = [0];
    poll_fn(|context| {
        let read = Pin::new(&mut *connection).poll_read(context, ReadBuf::new(&mut byte).unfilled());
        Poll::Ready(read.is_pending()) // else it is the end, or an answer to nothing
    })
    .await
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
        if request.extensions().get::<Rehearsal>().is_some() {
            return HttpConnectorFuture::ready(for_sdk(Response::new(SdkBody::from("{}"))));
        }
        let used = connect::capture_connection(&mut request);
        if let Some(asker) = request.extensions().get::<CaptureSmithyConnection>() {
            asker.set_connection_retriever(move || metadata(used.clone()));
        }
        let answer = self.client.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(connector_error)?;
            for_sdk(answer.map(SdkBody::from_body_1_x))
        })
    }
}

fn for_sdk(answer: Response<SdkBody>) -> Result<HttpResponse, ConnectorError> {
    HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
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
        net::Ipv4Addr,
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
        let to: Uri = format!("http://{place}/").parse().unwrap();
        let client = client();
        client.open_ahead(to.clone());
        let failed = client.connector.take(&to).unwrap().await;
        assert!(failed.is_err());
        client.connector.opened().push_back((to, Box::pin(ready(failed))));
        let (url, _) = server_at(place, FINE).await.unwrap();
        assert_eq!(ask_by(&client, &url).await.unwrap().status().as_u16(), 200);
    }

    #[tokio::test]
    async fn a_name_is_resolved_here_for_one_connection() {
        let client = client();
        client.resolve_here(&"http://localhost/".parse().unwrap());
        let (name, addresses) = client.names.resolved().clone().unwrap();
        assert!(name == "localhost" && addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
        client.resolve_here(&"http://nobody.invalid/".parse().unwrap());
        assert_eq!(*client.names.resolved(), None);

        let url = server(FINE).await.unwrap();
        let nobody = url.replace("127.0.0.1", "nobody.invalid");
        *client.names.resolved() = Some(("nobody.invalid".to_owned(), vec![(Ipv4Addr::LOCALHOST, 0).into()]));
        assert_eq!(ask_by(&client, &nobody).await.unwrap().status().as_u16(), 200);
        assert!(ask_by(&client, &nobody).await.unwrap_err().is_io());
    }

    #[tokio::test]
    async fn a_rehearsed_request_is_not_sent() {
        let (url, connections) = server_at((Ipv4Addr::LOCALHOST, 0).into(), FINE).await.unwrap();
        let mut request = HttpRequest::new(SdkBody::from("body"));
        request.set_uri(url).unwrap();
        request.add_extension(Rehearsal);
        let answer = client().call(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().bytes()), (200, Some(&b"{}"[..])));
        assert_eq!(connections.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn connections_are_waited_for_and_one_that_fails_is_given_up() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = client();
        client.open_ahead("http://127.0.0.1:1/".parse().unwrap());
        client.open_ahead(format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap());
        client.opened().await;
        listener.accept().await.unwrap();
        assert_eq!(client.connector.opened().len(), 1);
    }

    #[tokio::test]
    async fn a_connection_that_was_ended_before_its_first_request_is_opened_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = listener.local_addr().unwrap();
        let client = client();
        client.open_ahead(format!("http://{place}/").parse().unwrap());
        client.opened().await;
        drop(listener.accept().await.unwrap());
        drop(listener);
        let (url, connections) = server_at(place, FINE).await.unwrap();
        assert_eq!(ask_by(&client, &url).await.unwrap().status().as_u16(), 200);
        assert_eq!(connections.load(Ordering::Relaxed), 1);
    }
}
