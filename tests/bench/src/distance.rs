//! A network with distance: a way to a server that takes a round-trip time for whatever needs one.
//!
//! It carries bytes in both directions, each half a round trip late. Loopback opens a connection at once, so what a client
//! sends first waits for one round trip more, as if TCP had taken it. It needs no privileges, unlike `tc netem`.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::body::{Buf as _, Bytes};
use tokio::{
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{JoinHandle, yield_now},
    time::sleep,
};

/// tokio's timer counts milliseconds, so what is left after it is waited for by asking the clock.
const TIMER: Duration = Duration::from_millis(2);
const BUFFER_BYTES: usize = 16 * 1024;

/// A way to a server, until it is dropped.
pub(crate) struct Way {
    pub(crate) port: u16,
    rtt_us: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Way {
    /// A way to this loopback port, which takes no time yet.
    pub(crate) async fn to(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let rtt_us = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&rtt_us);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Duration::from_micros(now.load(Ordering::Relaxed))));
            }
        });
        Ok(Self { port, rtt_us, task })
    }

    /// Makes connections from now on take this round-trip time.
    pub(crate) fn set(&self, rtt: Duration) {
        self.rtt_us.store(u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, server: u16, rtt: Duration) {
    let open = Instant::now() + rtt;
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::join!(late(from_client, to_server, open, rtt / 2), late(from_server, to_client, open, rtt / 2));
}

/// Carries bytes in one direction: what comes before `open` is taken as sent then, and arrives half a round trip later.
async fn late(from: OwnedReadHalf, to: OwnedWriteHalf, open: Instant, half: Duration) {
    let (sender, receiver) = unbounded_channel();
    tokio::join!(read(&from, sender, open, half), write(to, receiver));
}

async fn read(from: &OwnedReadHalf, sender: UnboundedSender<(Instant, Bytes)>, open: Instant, half: Duration) {
    let mut buffer = [0; BUFFER_BYTES];
    while from.readable().await.is_ok() {
        let count = match from.try_read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        let due = Instant::now().max(open) + half;
        if sender.send((due, Bytes::copy_from_slice(&buffer[..count]))).is_err() || count == 0 {
            return;
        }
    }
}

/// Writes each piece when it is due. The end comes with the last.
async fn write(to: OwnedWriteHalf, mut receiver: UnboundedReceiver<(Instant, Bytes)>) {
    while let Some((due, mut bytes)) = receiver.recv().await {
        sleep(due.saturating_duration_since(Instant::now()).saturating_sub(TIMER)).await;
        while Instant::now() < due {
            yield_now().await;
        }
        while !bytes.is_empty() && to.writable().await.is_ok() {
            match to.try_write(&bytes) {
                Ok(count) => bytes.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use hyper::{Request, client::conn::http1::handshake};
    use hyper_util::rt::TokioIo;

    use super::*;
    use crate::server::{Server, json};

    #[tokio::test]
    async fn a_connection_takes_a_round_trip_and_so_does_each_answer() {
        let server = Server::start(None, async |_| json(200, "{}")).await.unwrap();
        let (way, rtt) = (Way::to(server.port).await.unwrap(), Duration::from_millis(20));
        way.set(rtt);
        let began = Instant::now();
        let client = TcpStream::connect(("127.0.0.1", way.port)).await.unwrap();
        let (mut sender, connection) = handshake::<_, Empty<Bytes>>(TokioIo::new(client)).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..3 {
            sender.send_request(Request::get("/").body(Empty::new()).unwrap()).await.unwrap();
        }
        assert!(began.elapsed() >= rtt * 4);
    }
}
