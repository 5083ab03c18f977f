//! An HTTP/1.1 server on a loopback port, plain or over TLS, and its certificates.

use std::{
    convert::Infallible,
    fs, io,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite,
        client::Resumption,
        crypto::{
            CryptoProvider,
            ring::{cipher_suite, default_provider},
        },
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::Failed;

/// The cipher suites that AWS's endpoints choose, whatever the client prefers.
const AWS_CIPHER_SUITES: [SupportedCipherSuite; 2] =
    [cipher_suite::TLS13_AES_128_GCM_SHA256, cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];

pub(crate) type Answer = Response<Full<Bytes>>;

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves every request on a free port by `answer`, over TLS if there is an acceptor.
    pub(crate) async fn start<F, A>(tls: Option<TlsAcceptor>, answer: F) -> io::Result<Self>
    where
        F: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(accept(tcp, tls.clone(), answer.clone()));
            }
        });
        Ok(Self { port, connections, task })
    }

    /// The number of connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ignores a connection that breaks off: the client's missing request is noticed elsewhere.
async fn accept<F, A>(tcp: TcpStream, tls: Option<TlsAcceptor>, answer: F)
where
    F: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let _ = tcp.set_nodelay(true);
    match tls {
        None => serve(tcp, answer).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(tcp).await {
                serve(stream, answer).await;
            }
        }
    }
}

async fn serve<S, F, A>(stream: S, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            // A body that breaks off is not JSON, which the fakes reject.
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok::<_, Infallible>(answer(Request::from_parts(head, body)).await)
        }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A response with a JSON body.
pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    answer
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/x-amz-json-1.0"));
    answer
}

/// Makes a certificate authority, writes its root certificate to `root_file`, and returns an acceptor with a certificate
/// for `localhost` under an intermediate one, and a connector that trusts it and resumes no session. The keys are RSA
/// keys, as AWS's are: they are much of what a handshake costs. The server's library is AWS's too (AWS-LC, under its
/// endpoints' s2n-tls), so that the peer's time is realistic.
pub(crate) fn authority(root_file: &Path) -> Result<(TlsAcceptor, TlsConnector), Failed> {
    let root_key = rsa_key()?;
    let root = authority_params("bench root");
    let root_certificate = root.self_signed(&root_key)?;
    fs::write(root_file, root_certificate.pem())?;
    let mut roots = RootCertStore::empty();
    roots.add(root_certificate.der().clone())?;
    let root = Issuer::new(root, root_key);

    let between_key = rsa_key()?;
    let between = authority_params("bench intermediate");
    let between_certificate = between.signed_by(&between_key, &root)?;
    let between = Issuer::new(between, between_key);

    let key = rsa_key()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &between)?;
    let chain = vec![certificate.der().clone(), between_certificate.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(CryptoProvider { cipher_suites: AWS_CIPHER_SUITES.to_vec(), ..default_provider() });
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    Ok((TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client))))
}

/// By OpenSSL, since ring does not generate RSA keys.
fn rsa_key() -> Result<KeyPair, Failed> {
    let made = Command::new("openssl").args(["genpkey", "-quiet", "-algorithm", "RSA"]).output();
    let made = made.map_err(|error| format!("openssl: {error}"))?;
    Ok(KeyPair::from_pem(&String::from_utf8(made.stdout)?)?)
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}
