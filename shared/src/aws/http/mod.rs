//! The HTTP client under the AWS clients: HTTP/1.1, TLS by ring, a connection pool.
//!
//! The SDK's own client comes with HTTP/2, proxies and pools that AWS's endpoints never ask for; they were a sixth of
//! the receiver's binary. What the SDK expects of a client is kept: connections are reused, one that failed is not used
//! again, and errors say whether a retry makes sense. Connections can be opened before a request needs them (`ahead`).
//! Nothing here retries, or limits how long a request takes: the SDK does both.

use std::{error::Error, fmt, time::Duration};

use aws_smithy_runtime_api::client::{
    connection::{CaptureSmithyConnection, ConnectionMetadata},
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use hyper::{
    StatusCode,
    header::{HeaderValue, USER_AGENT},
};
use hyper_util::{
    client::legacy::{
        self, Client,
        connect::{CaptureConnection, capture_connection},
    },
    rt::TokioExecutor,
};
use rustls::RootCertStore;

pub(super) use self::ahead::Connector;

/// What CloudTrail names the caller by, beside its role.
const AGENT: HeaderValue = HeaderValue::from_static(crate::AGENT);

mod ahead;
#[cfg(test)]
mod test_server;

/// An HTTP client for the SDK that trusts these roots, and gives up opening a connection after `connect_timeout`; and what
/// can open connections for it ahead.
pub(super) fn client_and_connector(roots: RootCertStore, connect_timeout: Duration) -> (SharedHttpClient, Connector) {
    let connector = Connector::new(roots, connect_timeout);
    (for_sdk(Http1::new(connector.clone())), connector)
}

/// An HTTP client that sends nothing and answers every request with 200 and `{}`.
///
/// A call that it is given to is prepared and signed as any other: a function that does this at its start has code and
/// data at hand when its first real call comes.
#[must_use]
pub fn dry_run() -> SharedHttpClient {
    for_sdk(DryRun)
}

fn for_sdk(connector: impl HttpConnector + 'static) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct DryRun;

impl HttpConnector for DryRun {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(HttpResponse::new(StatusCode::OK.into(), SdkBody::from("{}"))))
    }
}

struct Http1(Client<Connector, SdkBody>);

impl Http1 {
    fn new(connector: Connector) -> Self {
        Self(Client::builder(TokioExecutor::new()).build(connector))
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
        request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(connection.clone()));
        }
        let response = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(connector_error)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Lets the SDK have a connection closed on which an attempt has failed.
fn metadata(connection: CaptureConnection) -> Option<ConnectionMetadata> {
    let is_connected = connection.connection_metadata().is_some();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    is_connected.then(|| ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// Decides what the SDK retries: failures on the network, and not a request or a response that is invalid in itself.
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
    use aws_smithy_types::byte_stream::ByteStream;

    use super::{
        test_server::{TestServer, send},
        *,
    };

    fn http() -> Http1 {
        Http1::new(Connector::new(RootCertStore::empty(), Duration::from_secs(1)))
    }

    #[tokio::test]
    async fn a_response_has_its_status_and_body() {
        let server = TestServer::start(b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone").await.unwrap();
        let response = send(&http(), &server.url).await.unwrap();
        assert_eq!(response.status().as_u16(), 404);
        let body = ByteStream::new(response.into_body()).collect().await.unwrap();
        assert_eq!(body.to_vec(), b"gone");
    }

    #[tokio::test]
    async fn a_response_that_breaks_off_is_retried() {
        let server = TestServer::start(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        assert!(send(&http(), &server.url).await.unwrap_err().is_io());
    }

    #[tokio::test]
    async fn a_connection_that_fails_is_retried() {
        assert!(send(&http(), "http://127.0.0.1:1/").await.unwrap_err().is_io());
        assert!(send(&http(), "http://nobody.invalid/").await.unwrap_err().is_io());
    }

    #[tokio::test]
    async fn a_response_that_is_not_http_is_not_retried() {
        let server = TestServer::start(b"SSH-2.0\r\n\r\n").await.unwrap();
        let error = send(&http(), &server.url).await.unwrap_err();
        assert!(!error.is_io() && !error.is_timeout(), "{error:?}");
    }

    #[tokio::test]
    async fn a_dry_run_is_answered_without_a_connection() {
        let mut request = HttpRequest::new(SdkBody::from("body"));
        request.set_uri("http://nobody.invalid/").unwrap();
        let response = DryRun.call(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.body().bytes(), Some(&b"{}"[..]));
    }
}
