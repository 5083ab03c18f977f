//! The HTTP client under the AWS clients: HTTP/1.1, over TLS by ring, and a pool.
//!
//! The SDK's own client comes with HTTP/2, proxies and pools that AWS's endpoints never ask for; they
//! were a sixth of the receiver's binary. What the SDK expects of a client is kept: connections are
//! reused, one that failed is not used again, and errors say whether another try makes sense.

use std::{error::Error, fmt, time::Duration};

use aws_smithy_runtime_api::client::{
    connection::{CaptureSmithyConnection, ConnectionMetadata},
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, Client, connect},
    rt::TokioExecutor,
};
use rustls::RootCertStore;

use crate::tls;

/// A client that judges servers by these roots, and gives up a connection after `connect`.
///
/// What else takes long is ended from outside: the SDK has a time for each try.
#[must_use]
pub fn client(roots: RootCertStore, connect: Duration) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Http1::new(roots, connect));
    http_client_fn(move |_, _| connector.clone())
}

struct Http1(Client<HttpsConnector<connect::HttpConnector>, SdkBody>);

impl Http1 {
    fn new(roots: RootCertStore, connect: Duration) -> Self {
        let mut tcp = connect::HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect));
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls::client_config(roots));
        Self(Client::builder(TokioExecutor::new()).build(tls.https_or_http().enable_http1().wrap_connector(tcp)))
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
        let answer = self.0.request(request);
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
    use std::io;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Answers each connection's first request with these bytes, and ends it.
    async fn server(answer: &'static [u8]) -> io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let _ = connection.read(&mut [0; 1024]).await;
                let _ = connection.write_all(answer).await;
            }
        });
        Ok(url)
    }

    async fn ask(url: &str) -> Result<HttpResponse, ConnectorError> {
        let client = Http1::new(RootCertStore::empty(), Duration::from_secs(1));
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
}
