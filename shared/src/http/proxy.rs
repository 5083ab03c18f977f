//! A proxy between an operator's machine and the outside: a tunnel, so that it sees neither requests nor answers.

use std::{future::Future, pin::Pin};

use hyper::Uri;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::{
    client::{legacy::connect::proxy::Tunnel, proxy::matcher::Matcher},
    rt::TokioIo,
};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service as _;

use super::Cause;
use crate::tls;

type Tunnelling = Pin<Box<dyn Future<Output = Result<MaybeHttpsStream<TokioIo<TcpStream>>, Cause>> + Send>>;

/// The environment's proxies.
pub(super) struct Proxies {
    matcher: Matcher,
    tls: ClientConfig,
}

impl Proxies {
    pub(super) fn of_environment(tls: ClientConfig) -> Self {
        Self { matcher: Matcher::from_env(), tls }
    }

    /// The tunnel to an https address; `None` where it is asked directly.
    pub(super) fn tunnel(&self, uri: &Uri) -> Option<Tunnelling> {
        let proxy = self.matcher.intercept(uri).filter(|_| uri.scheme_str() == Some("https"))?;
        let mut tunnel = Tunnel::new(proxy.uri().clone(), tls::tcp());
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        let (mut https, uri) = (tls::connector(tunnel, self.tls.clone()), uri.clone());
        Some(Box::pin(async move { https.call(uri).await }))
    }
}
