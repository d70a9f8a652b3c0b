//! Stands between a client and a server, and does to requests what networks and stores do.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is passed on.
    None,
    /// The connection is cut and the server hears nothing.
    CutBefore,
    /// The server does it, and nobody hears that it did.
    CutAfter,
    /// Half of the answer comes.
    CutWithin,
    /// Somebody else answers.
    Answer(u16, &'static str),
    /// No answer comes until the client gives up.
    Silence,
    /// A listing is answered as it was when it was first asked for.
    Stale,
}

/// A request as the proxy sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Counted from 1 since the faults were set.
    pub number: usize,
    pub method: String,
    pub target: String,
}

type Faults = Box<dyn Fn(&Seen) -> Fault + Send + Sync>;

pub struct Proxy {
    pub address: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    seen: AtomicUsize,
    faults: Mutex<Faults>,
    listings: Mutex<HashMap<String, Vec<u8>>>,
    has_ended: AtomicBool,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(&self.address);
    }
}

impl Proxy {
    pub fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            seen: AtomicUsize::new(0),
            faults: Mutex::new(Box::new(|_| Fault::None)),
            listings: Mutex::default(),
            has_ended: AtomicBool::new(false),
        });
        let accepted = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepted.has_ended.load(SeqCst) {
                    return;
                }
                let (shared, stream) = (accepted.clone(), stream.unwrap());
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// Counts requests anew and does this to them.
    pub fn set(&self, faults: impl Fn(&Seen) -> Fault + Send + Sync + 'static) {
        self.shared.seen.store(0, SeqCst);
        *self.shared.faults.lock().unwrap() = Box::new(faults);
    }

    /// Requests since the faults were set.
    pub fn seen(&self) -> usize {
        self.shared.seen.load(SeqCst)
    }
}

impl Shared {
    /// One request a connection: the answer says so.
    fn serve(&self, mut stream: TcpStream) {
        let Some((head, body)) = read_request(&mut stream) else { return };
        let mut words = head.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let number = self.seen.fetch_add(1, SeqCst) + 1;
        let seen = Seen { number, method, target };
        let fault = (*self.faults.lock().unwrap())(&seen);
        match fault {
            Fault::CutBefore => {}
            Fault::Answer(status, text) => {
                let head = format!("HTTP/1.1 {status} Injected\r\nContent-Length: {}", text.len());
                let _ = write!(stream, "{head}\r\nConnection: close\r\n\r\n{text}");
            }
            Fault::Silence => {
                let _ = stream.read(&mut [0]);
            }
            fault => self.pass_on(&seen, &fault, &mut stream, (&head, &body)),
        }
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn pass_on(&self, seen: &Seen, fault: &Fault, stream: &mut TcpStream, (head, body): (&str, &[u8])) {
        let mut answer = self.forward(head, body);
        if seen.method == "GET" && seen.target.contains("list-type") {
            let mut listings = self.listings.lock().unwrap();
            let first = listings.entry(seen.target.clone()).or_insert_with(|| answer.clone());
            if *fault == Fault::Stale {
                answer.clone_from(first);
            }
        }
        let told = match fault {
            Fault::CutAfter => 0,
            Fault::CutWithin => answer.len() / 2,
            _ => answer.len(),
        };
        let _ = stream.write_all(&answer[..told]);
    }

    fn forward(&self, head: &str, body: &[u8]) -> Vec<u8> {
        let mut upstream = TcpStream::connect(&self.upstream).unwrap();
        let mut lines: Vec<&str> = head.split("\r\n").filter(|line| !line.is_empty()).collect();
        lines.retain(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        lines.push("Connection: close");
        upstream.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).unwrap();
        upstream.write_all(body).unwrap();
        let mut answer = Vec::new();
        let _ = upstream.read_to_end(&mut answer);
        answer
    }
}

fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 65536]);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut body = bytes.split_off(end + 4);
    while body.len() < length.unwrap_or(0) {
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => body.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
    Some((head, body))
}
