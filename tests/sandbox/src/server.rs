//! Accepts connections and serves the router on them. `axum::serve` could neither close a connection
//! without a response nor tell who its client is.

use std::net::SocketAddr;

use axum::{Router, body::Body, http::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt as _;

/// Marks a response that must not be sent: the connection is closed instead.
#[derive(Clone, Copy)]
struct HangUp;

/// The connection that a request came by. It takes both ends to identify it: a client may use one port for several
/// connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// The error that makes hyper close the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
struct Dropped;

/// A response that closes the connection instead of being sent.
pub(crate) fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

/// Serves until the task is aborted; the open connections end with it.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here concerns one connection, so the server goes on.
                let Ok((stream, client)) = accepted else { continue };
                let Ok(server) = stream.local_addr() else { continue };
                let ends = Ends { client, server };
                let router = router.clone();
                let service = service_fn(move |request| answer(router.clone(), ends, request));
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // An error here is a disconnected client or our own `Dropped`.
                connections.spawn(async move { drop(connection.await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(router: Router, ends: Ends, mut request: Request<Incoming>) -> Result<Response, Dropped> {
    request.extensions_mut().insert(ends);
    let Ok(response) = router.oneshot(request.map(Body::new)).await;
    if response.extensions().get::<HangUp>().is_some() { Err(Dropped) } else { Ok(response) }
}
