//! Finds the process at the other end of a loopback connection in `/proc` (proc(5)) and kills it with
//! SIGKILL. It kills nothing but functions.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
};

use crate::server::Ends;

/// Kills the function that is this connection's client; whether there was one.
pub(crate) fn kill(connection: Ends) -> bool {
    let Some(inode) = inode(connection) else { return false };
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let owner =
        processes.map(|entry| entry.path()).find(|process| is_named_as_function(process) && holds(process, &socket));
    let Some(owner) = owner.filter(|process| is_function(process)) else { return false };
    let Some(pid) = owner.file_name() else { return false };
    Command::new("kill").arg("-KILL").arg(pid).status().is_ok_and(|status| status.success())
}

/// The inode of the client's socket.
fn inode(Ends { client, server }: Ends) -> Option<String> {
    let (client, server) = (encoded(client)?, encoded(server)?);
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let is_it = columns.next()? == client && columns.next()? == server;
        is_it.then(|| columns.nth(6)).flatten().map(str::to_owned)
    })
}

/// An address as `/proc/net/tcp` writes it, in the machine's byte order.
fn encoded(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port()))
}

fn holds(process: &Path, socket: &str) -> bool {
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target.as_os_str() == socket)
}

/// Whether its program has the name of a function's. Unlike the environment, the kernel tells this without a lock of the
/// process's memory, which a compiler that is starved of processor time may hold for seconds.
fn is_named_as_function(process: &Path) -> bool {
    fs::read(process.join("comm")).is_ok_and(|name| name == b"bootstrap\n")
}

fn is_function(process: &Path) -> bool {
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(b"AWS_LAMBDA_FUNCTION_NAME="))
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        os::fd::{AsFd, AsRawFd},
    };

    use tokio::net::{TcpListener, TcpSocket, TcpStream};

    use super::*;

    /// A connection from this port.
    async fn connect(from: u16, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, from).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_is_known_by_both_its_ends() {
        let listen = async || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (one, other) = (listen().await, listen().await);
        let first = connect(0, one.local_addr().unwrap()).await;
        let second = connect(first.local_addr().unwrap().port(), other.local_addr().unwrap()).await;
        for connection in [&first, &second] {
            let ends = Ends { client: connection.local_addr().unwrap(), server: connection.peer_addr().unwrap() };
            let socket = fs::read_link(format!("/proc/self/fd/{}", connection.as_fd().as_raw_fd())).unwrap();
            assert_eq!(socket.to_str().unwrap(), format!("socket:[{}]", inode(ends).unwrap()));
        }
    }
}
