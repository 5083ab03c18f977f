//! Opens connections, some of them before a request needs them: while a function prepares its first requests, names are
//! resolved and keys agreed.

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    future::{poll_fn, ready},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Uri,
    rt::{Read as _, ReadBuf},
};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::RootCertStore;
use tokio::{net::TcpStream, task::yield_now};
use tower_service::Service;
use tracing::warn;

use crate::tls;

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
type Connecting = Pin<Box<dyn Future<Output = Result<Connection, Box<dyn Error + Send + Sync>>> + Send>>;

/// Connects to endpoints, or hands out a connection that was opened ahead. Clones share those.
#[derive(Clone)]
pub(crate) struct Connector {
    https: HttpsConnector<HttpConnector>,
    /// The oldest first. An endpoint that has several connections is there several times.
    opened: Arc<Mutex<VecDeque<(Uri, Connecting)>>>,
}

impl Connector {
    pub(super) fn new(roots: RootCertStore, connect_timeout: Duration) -> Self {
        let mut tcp = tls::tcp();
        tcp.set_connect_timeout(Some(connect_timeout));
        Self { https: tls::connector(tcp, tls::client_config(roots)), opened: Arc::default() }
    }

    /// Begins to open a connection, on this thread's runtime, for the next request to this endpoint that needs one. If
    /// it fails, that request connects anew.
    pub(crate) fn open_ahead(&self, endpoint: Uri) {
        let mut https = self.https.clone();
        let uri = endpoint.clone();
        let connecting = tokio::spawn(async move { https.call(uri).await });
        self.opened().push_back((endpoint, Box::pin(async { connecting.await? })));
    }

    /// Waits until all connections that were begun are open or have failed.
    pub(crate) async fn wait(&self) {
        let count = self.opened().len();
        for _ in 0..count {
            let next = self.opened().pop_front();
            let Some((endpoint, connecting)) = next else { break };
            match connecting.await {
                Ok(connection) => self.opened().push_back((endpoint, Box::pin(ready(Ok(connection))))),
                Err(error) => warn!(host = endpoint.host(), error, "connection not opened"),
            }
        }
    }

    fn opened(&self) -> MutexGuard<'_, VecDeque<(Uri, Connecting)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to this endpoint that was opened ahead, or is being opened.
    fn take(&self, endpoint: &Uri) -> Option<Connecting> {
        let mut opened = self.opened();
        let is_same = |(to, _): &(Uri, _)| to.scheme() == endpoint.scheme() && to.authority() == endpoint.authority();
        let found = opened.iter().position(is_same)?;
        opened.remove(found).map(|(_, connecting)| connecting)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, endpoint: Uri) -> Self::Future {
        let Some(connecting) = self.take(&endpoint) else { return Box::pin(self.https.call(endpoint)) };
        let mut https = self.https.clone();
        Box::pin(async move {
            if let Ok(mut connection) = connecting.await
                && is_open(&mut connection).await
            {
                return Ok(connection);
            }
            https.call(endpoint).await
        })
    }
}

/// Has the peer left an unused connection open? It may have been idle for as long as Lambda freezes a function.
async fn is_open(connection: &mut Connection) -> bool {
    yield_now().await; // the runtime must first learn from the kernel what has arrived
    let mut byte = [0];
    poll_fn(|context| {
        let read = Pin::new(&mut *connection).poll_read(context, ReadBuf::new(&mut byte).unfilled());
        Poll::Ready(read.is_pending()) // otherwise it is the end of the stream, or a response to nothing
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::net::TcpListener;

    use super::*;
    use crate::aws::http::{
        Http1,
        test_server::{OK, TestServer, send},
    };

    fn connector() -> Connector {
        Connector::new(RootCertStore::empty(), Duration::from_secs(1))
    }

    fn url(address: SocketAddr) -> String {
        format!("http://{address}/")
    }

    async fn send_by(connector: &Connector, url: &str) -> u16 {
        send(&Http1::new(connector.clone()), url).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn a_request_takes_the_connection_that_was_opened_ahead() {
        let server = TestServer::start(OK).await.unwrap();
        let connector = connector();
        connector.open_ahead(server.url.parse().unwrap());
        assert_eq!(send_by(&connector, &format!("{}queue?x=1", server.url)).await, 200);
        assert_eq!(server.connections(), 1);
        assert!(connector.opened().is_empty());
    }

    #[tokio::test]
    async fn a_request_to_another_endpoint_leaves_the_connection() {
        let (server, other) = (TestServer::start(OK).await.unwrap(), TestServer::start(OK).await.unwrap());
        let connector = connector();
        connector.open_ahead(server.url.parse().unwrap());
        assert_eq!(send_by(&connector, &other.url).await, 200);
        assert_eq!(other.connections(), 1);
        assert_eq!(connector.opened().len(), 1);
    }

    #[tokio::test]
    async fn a_connection_that_could_not_be_opened_ahead_is_opened_again() {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let endpoint: Uri = url(address).parse().unwrap();
        let connector = connector();
        connector.open_ahead(endpoint.clone());
        let failed = connector.take(&endpoint).unwrap().await;
        assert!(failed.is_err());
        connector.opened().push_back((endpoint, Box::pin(ready(failed))));
        let server = TestServer::start_at(address, OK).await.unwrap();
        assert_eq!(send_by(&connector, &server.url).await, 200);
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_before_its_first_request_is_opened_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connector = connector();
        connector.open_ahead(url(address).parse().unwrap());
        connector.wait().await;
        drop(listener.accept().await.unwrap());
        drop(listener);
        let server = TestServer::start_at(address, OK).await.unwrap();
        assert_eq!(send_by(&connector, &server.url).await, 200);
        assert_eq!(server.connections(), 1);
    }

    #[tokio::test]
    async fn waiting_keeps_open_connections_and_drops_failed_ones() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let connector = connector();
        connector.open_ahead("http://127.0.0.1:1/".parse().unwrap());
        connector.open_ahead(url(listener.local_addr().unwrap()).parse().unwrap());
        connector.wait().await;
        listener.accept().await.unwrap();
        assert_eq!(connector.opened().len(), 1);
    }
}
