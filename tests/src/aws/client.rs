//! Finds the process at the other end of a loopback connection, by `/proc` (proc(5)), and kills it:
//! as sudden as a function's end can be. Only ever a function.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
};

/// Kills the function that has this end of a connection. Was there one?
pub(crate) fn kill(client: SocketAddr) -> bool {
    let Some(inode) = inode(client) else { return false };
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let owner = processes.map(|entry| entry.path()).find(|process| holds(process, &socket) && is_function(process));
    let Some(pid) = owner.as_deref().and_then(Path::file_name) else { return false };
    Command::new("kill").arg("-KILL").arg(pid).status().is_ok_and(|status| status.success())
}

/// The inode of the socket that is bound to this address.
fn inode(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    // In the byte order of the machine.
    let local = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&local))?;
    line.split_whitespace().nth(9).map(str::to_owned)
}

fn holds(process: &Path, socket: &str) -> bool {
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target.as_os_str() == socket)
}

fn is_function(process: &Path) -> bool {
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(b"AWS_LAMBDA_FUNCTION_NAME="))
}
