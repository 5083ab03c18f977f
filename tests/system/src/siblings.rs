//! Two host names of one domain, as a browser sees them: the stack's, and one that an attacker has.
//!
//! Browsers resolve every name under `localhost` to this machine, and take its pages for secure ones, so that `Secure`
//! cookies work without a certificate.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use url::Url;

use crate::Cloud;

/// The domain of both.
pub const DOMAIN: &str = "evil.localhost";
const STACKS_HOST: &str = "connect.evil.localhost";
const ATTACKERS_HOST: &str = "a.evil.localhost";
/// At both hosts: a page that sets cookies.
const PLANT: &str = "/plant";

/// Serves both hosts, until the test's process ends.
pub struct Siblings {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    /// Where the stack is, `host:port`, and its own host name.
    upstream: String,
    host: String,
    /// The values of `Set-Cookie` on the next pages.
    planted: Mutex<Vec<Vec<u8>>>,
    /// The `Cookie` headers of requests that were passed on to the stack.
    arrived: Mutex<Vec<Vec<u8>>>,
}

impl Siblings {
    /// Begins to serve.
    pub fn of(cloud: &Cloud) -> Self {
        let callback = Url::parse(cloud.stack("main").output("CallbackUrl")).expect("an address");
        let host = &callback[url::Position::BeforeHost..url::Position::AfterPort];
        let upstream = format!("127.0.0.1:{}", callback.port().expect("a port"));
        let shared = Shared { upstream, host: host.to_owned(), planted: Mutex::default(), arrived: Mutex::default() };
        let shared = Arc::new(shared);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = Arc::clone(&server);
                // An error here is a disconnected browser.
                thread::spawn(move || drop(shared.serve(&connection)));
            }
        });
        Self { port, shared }
    }

    /// A page of the attacker's host that sets these cookies, in bytes.
    pub fn attackers_page(&self, cookies: Vec<Vec<u8>>) -> String {
        self.page(ATTACKERS_HOST, cookies)
    }

    /// The same on the stack's own host.
    pub fn own_page(&self, cookies: Vec<Vec<u8>>) -> String {
        self.page(STACKS_HOST, cookies)
    }

    fn page(&self, host: &str, cookies: Vec<Vec<u8>>) -> String {
        *lock(&self.shared.planted) = cookies;
        format!("http://{host}:{}{PLANT}", self.port)
    }

    /// An address of the stack under the name that the attacker's host is a sibling of.
    pub fn of_stack(&self, url: &str) -> String {
        let url = Url::parse(url).expect("an address");
        format!("http://{STACKS_HOST}:{}{}", self.port, &url[url::Position::BeforePath..])
    }

    /// The cookies of the last request that was passed on to the stack, `name=value` in bytes.
    pub fn last_cookies(&self) -> Vec<Vec<u8>> {
        let arrived = lock(&self.shared.arrived);
        let header = arrived.last().expect("a request");
        let cookies = header.split(|byte| *byte == b';').map(|cookie| cookie.strip_prefix(b" ").unwrap_or(cookie));
        cookies.filter(|cookie| !cookie.is_empty()).map(<[u8]>::to_vec).collect()
    }
}

impl Shared {
    /// One request on one connection.
    fn serve(&self, connection: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(connection);
        let (mut head, mut cookie, mut host, mut length) = (Vec::new(), Vec::new(), Vec::new(), 0);
        loop {
            let mut line = Vec::new();
            reader.read_until(b'\n', &mut line)?;
            let text = line.trim_ascii_end();
            if text.is_empty() {
                break;
            }
            let (name, value) = text.split_at(text.iter().position(|byte| *byte == b':').unwrap_or(0));
            let value = value.get(2..).unwrap_or_default();
            match &*name.to_ascii_lowercase() {
                b"host" => host = value.to_vec(),
                b"connection" => {}
                b"content-length" => {
                    length = String::from_utf8_lossy(value).parse().unwrap_or(0);
                    head.extend_from_slice(&line);
                }
                b"cookie" => {
                    cookie = value.to_vec();
                    head.extend_from_slice(&line);
                }
                _ => head.extend_from_slice(&line),
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if path == PLANT.as_bytes() {
            return self.plant(connection);
        }
        if !host.starts_with(STACKS_HOST.as_bytes()) {
            return write(connection, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        // What a page asks by itself has no cookies, and comes whenever it comes.
        if !path.ends_with(b"/connect/status") {
            lock(&self.arrived).push(cookie);
        }
        let upstream = TcpStream::connect(&self.upstream)?;
        write(&upstream, &head)?;
        write(&upstream, format!("host: {}\r\nconnection: close\r\n\r\n", self.host).as_bytes())?;
        write(&upstream, &body)?;
        let mut answer = Vec::new();
        (&upstream).read_to_end(&mut answer)?;
        write(connection, &answer)
    }

    fn plant(&self, connection: &TcpStream) -> io::Result<()> {
        write(connection, b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n")?;
        for cookie in lock(&self.planted).iter() {
            write(connection, &[b"set-cookie: ", &**cookie, b"\r\n"].concat())?;
        }
        write(connection, b"content-length: 7\r\nconnection: close\r\n\r\nplanted")
    }
}

fn write(mut connection: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    connection.write_all(bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
