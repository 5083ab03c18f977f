//! The HTTP client under the AWS clients. The functions' own knows no proxies, which a workstation may need.

use std::time::Duration;

use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
        http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use reqwest::{Client, Request, Response};

use crate::{error::Error, http};

/// An HTTP client for the SDK.
pub(super) fn client() -> Result<SharedHttpClient, Error> {
    let client = http::build(http::builder())?;
    Ok(http_client_fn(move |settings, _| {
        SharedHttpConnector::new(Connector { client: client.clone(), limit: limit(settings) })
    }))
}

/// How long a request may take, where the SDK limits it: it asks so whether this machine is one of EC2's.
fn limit(settings: &HttpConnectorSettings) -> Option<Duration> {
    Some(settings.read_timeout()? + settings.connect_timeout().unwrap_or_default())
}

#[derive(Debug)]
struct Connector {
    client: Client,
    limit: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match into_request(request) {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(error)),
        };
        *request.timeout_mut() = self.limit;
        let client = self.client.clone();
        HttpConnectorFuture::new(async move {
            let response = client.execute(request).await.map_err(connector_error)?;
            into_response(response).await
        })
    }
}

fn into_request(request: HttpRequest) -> Result<Request, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let Some(body) = request.body().bytes().map(<[u8]>::to_vec) else {
        return Err(ConnectorError::user("a body that is not in memory".into()));
    };
    Request::try_from(request.map(|_| body)).map_err(|error| ConnectorError::user(error.without_url().into()))
}

async fn into_response(response: Response) -> Result<HttpResponse, ConnectorError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(connector_error)?;
    let mut answer = HttpResponse::new(status.into(), SdkBody::from(body.to_vec()));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            answer.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(answer)
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}
