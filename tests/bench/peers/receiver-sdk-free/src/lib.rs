//! One persistent connection to a service of AWS, and requests signed with `SigV4`.

use std::{cell::RefCell, fmt::Write as _, sync::Arc};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use lambda_runtime::Error;
use ring::{
    digest::{SHA256, digest},
    hmac,
};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::Value;
use shared::{Settings, process};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider},
};

/// A connection, and what its requests are signed with.
pub struct Connection {
    sender: RefCell<SendRequest<Full<Bytes>>>,
    host: String,
    service: &'static str,
    region: String,
    access_key: String,
    secret_key: String,
    session_token: String,
}

impl Connection {
    /// Opens it to a service, as it is named in signatures.
    ///
    /// # Errors
    /// A setting is missing, or the endpoint does not answer.
    pub async fn open(
        settings: &Settings<impl Fn(&str) -> Option<String>>,
        service: &'static str,
    ) -> Result<Self, Error> {
        let endpoint = settings.required("AWS_ENDPOINT_URL")?;
        let (scheme, host) = endpoint.split_once("://").ok_or("no scheme")?;
        let tcp = TcpStream::connect(host).await?;
        tcp.set_nodelay(true)?;
        let sender = if scheme == "https" {
            let name = host.split_once(':').map_or(host, |(name, _)| name).to_owned();
            let connector = connector(&settings.required("SSL_CERT_FILE")?)?;
            let tls = connector.connect(ServerName::try_from(name)?, tcp).await?;
            let (sender, connection) = handshake(TokioIo::new(tls)).await?;
            tokio::spawn(connection);
            sender
        } else {
            let (sender, connection) = handshake(TokioIo::new(tcp)).await?;
            tokio::spawn(connection);
            sender
        };
        Ok(Self {
            sender: RefCell::new(sender),
            host: host.to_owned(),
            service,
            region: settings.required("AWS_REGION")?,
            access_key: settings.required("AWS_ACCESS_KEY_ID")?,
            secret_key: settings.required("AWS_SECRET_ACCESS_KEY")?,
            session_token: settings.required("AWS_SESSION_TOKEN")?,
        })
    }

    /// Sends one request, and returns the answer's body.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn call(&self, target: &str, body: &Value) -> Result<Bytes, Error> {
        let request = self.signed(target, body.to_string())?;
        let answering = self.sender.borrow_mut().send_request(request);
        let answer = answering.await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status == StatusCode::OK { Ok(body) } else { Err("refused".into()) }
    }

    /// A request, ready to be sent.
    ///
    /// # Errors
    /// The target is not fit for a header.
    pub fn signed(&self, target: &str, body: String) -> Result<Request<Full<Bytes>>, Error> {
        let Self { host, service, region, access_key, session_token, .. } = self;
        // 2026-09-21T14:13:20.123Z, without its punctuation and milliseconds.
        let mut date: String = process::now().rfc3339().chars().filter(|c| !matches!(c, '-' | ':')).take(15).collect();
        date.push('Z');
        let names = "host;x-amz-date;x-amz-security-token;x-amz-target";
        let canonical = format!(
            "POST\n/\n\nhost:{host}\nx-amz-date:{date}\nx-amz-security-token:{session_token}\nx-amz-target:{target}\n\n\
             {names}\n{}",
            hex(digest(&SHA256, body.as_bytes()).as_ref())
        );
        let day = &date[..8];
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let text =
            format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(digest(&SHA256, canonical.as_bytes()).as_ref()));
        let secret = format!("AWS4{}", self.secret_key);
        let signature = [day, region, service, "aws4_request", &text]
            .iter()
            .fold(secret.into_bytes(), |key, part| mac(&key, part.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={}",
            hex(&signature)
        );
        Ok(Request::post("/")
            .header("host", host)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", date)
            .header("x-amz-security-token", session_token)
            .header("x-amz-target", target)
            .header("authorization", authorization)
            .body(Full::new(body.into()))?)
    }
}

fn connector(roots_file: &str) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots_file)? {
        roots.add(root?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
