//! A server for the tests of the HTTP client.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_smithy_runtime_api::client::{
    http::HttpConnector,
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Answers the first request of each connection with the same bytes, and closes it.
pub(super) struct TestServer {
    pub(super) url: String,
    connections: Arc<AtomicUsize>,
}

impl TestServer {
    pub(super) async fn start(response: &'static [u8]) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), response).await
    }

    pub(super) async fn start_at(address: SocketAddr, response: &'static [u8]) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = connection.read(&mut [0; 1024]).await;
                let _ = connection.write_all(response).await;
            }
        });
        Ok(Self { url, connections })
    }

    /// How many connections were accepted.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

pub(super) async fn send(connector: &impl HttpConnector, url: &str) -> Result<HttpResponse, ConnectorError> {
    let mut request = HttpRequest::new(SdkBody::from("body"));
    request.set_uri(url).unwrap();
    connector.call(request).await
}
