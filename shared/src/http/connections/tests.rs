use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::*;
use crate::http::Roots;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What the server does with a connection.
#[derive(Clone, Copy)]
enum Deed {
    /// Answers each request.
    Answer,
    /// Ends it as soon as it is open.
    EndUnused,
    /// Answers one request, and ends it.
    AnswerOnce,
    /// Reads one request, and ends it.
    SwallowOne,
    /// Answers one request, reads another, and ends it.
    AnswerThenSwallow,
}

/// A server by a plan: one deed for each connection, the last one for all that follow.
struct Server {
    url: Url,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    ended: Arc<Notify>,
}

impl Server {
    async fn start(plan: impl IntoIterator<Item = Deed>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = url(listener.local_addr().unwrap());
        let server = Self { url, connections: Arc::default(), requests: Arc::default(), ended: Arc::default() };
        let (connections, requests, ended) =
            (Arc::clone(&server.connections), Arc::clone(&server.requests), Arc::clone(&server.ended));
        let mut plan: VecDeque<_> = plan.into_iter().collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let deed = if plan.len() > 1 { plan.pop_front() } else { plan.front().copied() };
                tokio::spawn(serve(stream, deed.unwrap(), Arc::clone(&requests), Arc::clone(&ended)));
            }
        });
        server
    }

    fn counts(&self) -> (usize, usize) {
        (self.connections.load(Ordering::Relaxed), self.requests.load(Ordering::Relaxed))
    }
}

async fn serve(mut stream: TcpStream, deed: Deed, requests: Arc<AtomicUsize>, ended: Arc<Notify>) {
    let (answers, reads) = match deed {
        Deed::EndUnused => (0, 0),
        Deed::AnswerOnce => (1, 1),
        Deed::SwallowOne => (0, 1),
        Deed::AnswerThenSwallow => (1, 2),
        Deed::Answer => (usize::MAX, usize::MAX),
    };
    for number in 0..reads {
        let mut read = Vec::new();
        while !read.ends_with(b"body") {
            if stream.read_buf(&mut read).await.is_ok_and(|count| count == 0) {
                return;
            }
        }
        requests.fetch_add(1, Ordering::Relaxed);
        if number < answers {
            stream.write_all(OK).await.unwrap();
        }
    }
    drop(stream);
    ended.notify_one();
}

fn url(address: SocketAddr) -> Url {
    format!("http://{address}/").parse().unwrap()
}

fn connections() -> Connections {
    Client::new(Roots::Mozilla, Duration::from_secs(2), Duration::from_secs(5)).connections()
}

async fn post(connections: &Connections, url: &Url) -> Result<Vec<u8>, Error> {
    Ok(connections.post(url.clone()).body("body").send().await?.body)
}

#[tokio::test]
async fn requests_of_one_piece_of_work_share_a_connection() {
    let server = Server::start([Deed::Answer]).await;
    let connections = connections();
    for _ in 0..3 {
        assert_eq!(post(&connections, &server.url).await.unwrap(), b"ok");
    }
    assert_eq!(server.counts(), (1, 3));
}

#[tokio::test]
async fn pieces_of_work_share_no_connection() {
    let server = Server::start([Deed::Answer]).await;
    let client = Client::new(Roots::Mozilla, Duration::from_secs(2), Duration::from_secs(5));
    for _ in 0..2 {
        post(&client.connections(), &server.url).await.unwrap();
    }
    assert_eq!(server.counts(), (2, 2));
}

#[tokio::test]
async fn a_request_takes_the_connection_that_was_opened_ahead() {
    let server = Server::start([Deed::Answer]).await;
    let connections = connections();
    connections.open_ahead(&server.url);
    post(&connections, &server.url.join("token?x=1").unwrap()).await.unwrap();
    assert_eq!(server.counts(), (1, 1));
}

#[tokio::test]
async fn a_request_to_another_host_leaves_the_connection() {
    let (server, other) = (Server::start([Deed::Answer]).await, Server::start([Deed::Answer]).await);
    let connections = connections();
    connections.open_ahead(&server.url);
    post(&connections, &other.url).await.unwrap();
    assert_eq!(other.counts(), (1, 1));
    assert_eq!(connections.kept().len(), 2);
}

#[tokio::test]
async fn a_connection_that_could_not_be_opened_ahead_is_opened_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let gone = url(listener.local_addr().unwrap());
    drop(listener);
    let (connections, server) = (connections(), Server::start([Deed::Answer]).await);
    let client = connections.client.clone();
    let opening = Opening(tokio::spawn(async move { client.open(&gone).await }));
    connections.keep(origin(&server.url), Line::Opening(opening));
    post(&connections, &server.url).await.unwrap();
    assert_eq!(server.counts(), (1, 1));
}

#[tokio::test]
async fn a_connection_that_ended_unused_is_noticed_before_the_request_is_written() {
    let server = Server::start([Deed::EndUnused, Deed::Answer]).await;
    let connections = connections();
    connections.open_ahead(&server.url);
    server.ended.notified().await;
    assert_eq!(post(&connections, &server.url).await.unwrap(), b"ok");
    assert_eq!(server.counts(), (2, 1));
}

#[tokio::test]
async fn a_connection_that_ended_after_an_answer_is_noticed_before_the_request_is_written() {
    let server = Server::start([Deed::AnswerOnce, Deed::Answer]).await;
    let connections = connections();
    post(&connections, &server.url).await.unwrap();
    server.ended.notified().await;
    assert_eq!(post(&connections, &server.url).await.unwrap(), b"ok");
    assert_eq!(server.counts(), (2, 2));
}

#[tokio::test]
async fn a_request_that_was_written_is_never_sent_again() {
    for plan in [[Deed::SwallowOne, Deed::Answer], [Deed::AnswerThenSwallow, Deed::Answer]] {
        let server = Server::start(plan).await;
        let connections = connections();
        connections.open_ahead(&server.url);
        let (mut answered, mut lost) = (0, 0);
        while lost == 0 {
            match post(&connections, &server.url).await {
                Ok(_) => answered += 1,
                Err(error) => {
                    assert!(matches!(error, Error::Lost(_)), "{error:?}");
                    lost += 1;
                }
            }
        }
        assert_eq!(server.counts(), (1, answered + lost));
    }
}

#[tokio::test]
async fn what_was_not_written_goes_to_another_connection_once() {
    let server = Server::start([Deed::EndUnused, Deed::EndUnused]).await;
    let connections = connections();
    let error = post(&connections, &server.url).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_) | Error::Lost(_)), "{error:?}");
    assert_eq!(server.counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_waited_long_is_not_used() {
    let server = Server::start([Deed::Answer]).await;
    let connections = connections();
    post(&connections, &server.url).await.unwrap();
    tokio::time::advance(IDLE).await;
    post(&connections, &server.url).await.unwrap();
    assert_eq!(server.counts(), (2, 2));
}

#[tokio::test]
async fn connections_end_with_the_work() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let connections = connections();
    connections.open_ahead(&url(listener.local_addr().unwrap()));
    let (mut server, _) = listener.accept().await.unwrap();
    drop(connections);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_that_is_gone_was_sent_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let gone = url(listener.local_addr().unwrap());
    drop(listener);
    assert!(post(&connections(), &gone).await.unwrap_err().is_connect());
    assert!(post(&connections(), &"http://nobody.invalid/".parse().unwrap()).await.unwrap_err().is_connect());
}
