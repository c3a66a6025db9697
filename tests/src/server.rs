//! A server on loopback that answers as it is told, byte by byte.
//!
//! A reply is a text: a head, an empty line and a body. Words in braces stand for what no text can
//! hold, see [`Server::start`].

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a server that stalls says nothing.
const STALL: Duration = Duration::from_secs(3);

/// The most that an endless body has after all.
const ENDLESS_BYTES: usize = 64 << 20;

/// A server; it ends when this is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    content: Vec<u8>,
    folder: Option<PathBuf>,
    replies: Vec<String>,
    requests: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// Makes of a connection what requests are read from; for TLS, where a handshake comes first.
pub type Wrap = dyn Fn(TcpStream) -> io::Result<Box<dyn Connection>> + Send + Sync;

/// What a server reads from and writes to.
pub trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

/// Bytes that are the same in every run and nowhere repeat.
pub fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        state.to_le_bytes()[4]
    };
    (0..length).map(|_| next(&mut state)).collect()
}

impl Server {
    /// Starts a server that has a file, and answers the first request with the first reply, and so
    /// on; the last one stands for all others.
    ///
    /// | word | stands for |
    /// |---|---|
    /// | `{length}` `{whole}` | the length of the file; its bytes |
    /// | `{half}` | its first half |
    /// | `{rest}` `{rest-range}` `{rest-length}` | what the `Range` of the request asks for |
    /// | `{other}` | as many other bytes |
    /// | `{other-rest}` | other bytes, as many as are asked for |
    /// | `{other-half}` | its second half |
    /// | `{pause}` | a moment without a byte |
    /// | `{stall}` | some seconds without a byte |
    /// | `{trickle}` | a few bytes, slowly |
    /// | `{endless}` | more bytes than anybody wants |
    /// | `{file}` | the file of the folder that is asked for |
    /// | `{(}` `{)}` | braces |
    /// | `{here}` | the address of the server, without a scheme |
    /// | `{path}` | the path of the request |
    pub fn start(content: &[u8], replies: &[&str]) -> Self {
        Self::start_with(content, replies, Box::new(|stream| Ok(Box::new(stream))))
    }

    /// Starts a server that has the files of a folder, and nothing else.
    pub fn of_folder(folder: &Path) -> Self {
        let replies = ["HTTP/1.1 200 OK\n\n{file}"];
        let wrap: Box<Wrap> = Box::new(|stream| Ok(Box::new(stream)));
        Self::serve(&[], &replies, wrap, Some(folder.to_owned()))
    }

    /// Starts a server on connections of another kind.
    pub fn start_with(content: &[u8], replies: &[&str], wrap: Box<Wrap>) -> Self {
        Self::serve(content, replies, wrap, None)
    }

    fn serve(content: &[u8], replies: &[&str], wrap: Box<Wrap>, folder: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            content: content.to_vec(),
            folder,
            replies: replies.iter().map(|reply| (*reply).to_owned()).collect(),
            requests: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let wrap: Arc<Wrap> = wrap.into();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.is_over.load(Ordering::Acquire) {
                    return;
                }
                let (shared, wrap) = (Arc::clone(&serving), Arc::clone(&wrap));
                std::thread::spawn(move || {
                    if let Ok(mut connection) = wrap(stream) {
                        // A client that had enough is no error.
                        shared.answer(&mut *connection, address).ok();
                    }
                });
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// The server as an authority, `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of the requests there were.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.shared.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Whoever waits for a connection gets one.
        if let Ok(stream) = TcpStream::connect(self.address) {
            stream.shutdown(Shutdown::Both).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn answer(&self, connection: &mut dyn Connection, address: SocketAddr) -> io::Result<()> {
        let request = read_head(connection)?;
        let number = {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(request.clone());
            requests.len() - 1
        };
        let last = self.replies.len() - 1;
        let mut reply = self.replies[number.min(last)].as_str();
        if self.folder.is_some() && self.file(&request).is_none() {
            reply = "HTTP/1.1 404 No\nContent-Length: 0";
        }
        let (head, body) = reply.split_once("\n\n").unwrap_or((reply, ""));
        let head = head.replace('\n', "\r\n") + "\r\nConnection: close\r\n\r\n";
        for text in [head.as_str(), body] {
            self.write(connection, text, &request, address)?;
        }
        connection.flush()
    }

    /// The file of the folder that a request asks for.
    fn file(&self, request: &str) -> Option<Vec<u8>> {
        let path = path_of(request).split('?').next()?;
        let path = self.folder.as_ref()?.join(path.trim_start_matches('/'));
        std::fs::read(path).ok()
    }

    fn write(
        &self,
        connection: &mut dyn Connection,
        text: &str,
        request: &str,
        address: SocketAddr,
    ) -> io::Result<()> {
        let length = self.content.len();
        let offset = range_of(request).unwrap_or(0).min(length);
        let other =
            |from: usize| -> Vec<u8> { self.content[from..].iter().map(|byte| !byte).collect() };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, after) = after.split_once('}').expect("braces come in pairs");
            rest = after;
            connection.write_all(before.as_bytes())?;
            let bytes = match word {
                "length" => length.to_string().into_bytes(),
                "whole" => self.content.clone(),
                "half" => self.content[..length / 2].to_vec(),
                "other-half" => self.content[length / 2..].to_vec(),
                "rest" => self.content[offset..].to_vec(),
                "rest-length" => (length - offset).to_string().into_bytes(),
                "rest-range" => format!("bytes {offset}-{}/{length}", length - 1).into_bytes(),
                "other" => other(0),
                "other-rest" => other(offset),
                "(" => b"{".to_vec(),
                ")" => b"}".to_vec(),
                "here" => address.to_string().into_bytes(),
                "file" => self.file(request).unwrap_or_default(),
                "path" => path_of(request).as_bytes().to_vec(),
                "stall" => {
                    connection.flush()?;
                    self.wait(STALL);
                    continue;
                }
                "pause" => {
                    connection.flush()?;
                    self.wait(STALL / 10);
                    continue;
                }
                "trickle" => {
                    for _ in 0..30 {
                        connection.write_all(b"x")?;
                        connection.flush()?;
                        self.wait(STALL / 30);
                    }
                    continue;
                }
                "endless" => {
                    let piece = vec![b'x'; 1 << 16];
                    for _ in 0..ENDLESS_BYTES / piece.len() {
                        connection.write_all(&piece)?;
                    }
                    continue;
                }
                other => panic!("no word `{other}`"),
            };
            connection.write_all(&bytes)?;
        }
        connection.write_all(rest.as_bytes())
    }

    fn wait(&self, time: Duration) {
        let step = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        while waited < time && !self.is_over.load(Ordering::Acquire) {
            std::thread::sleep(step);
            waited += step;
        }
    }
}

fn read_head(connection: &mut dyn Connection) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 1 << 16 || connection.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn path_of(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or("/")
}

fn range_of(request: &str) -> Option<usize> {
    let lower = request.to_ascii_lowercase();
    let (_, after) = lower.split_once("\r\nrange: bytes=")?;
    after.split('-').next()?.parse().ok()
}
