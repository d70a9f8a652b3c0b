//! Answers of the parser beside those of a real Prometheus (`/api/v1/format_query`): formatted queries and errors with
//! their positions.
//!
//! Prometheus is the executable named by STREAMFLOW_PROMETHEUS (`tools/fetch-debian.sh prometheus DIR` unpacks one).
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use streamflow_promql::{format, parse};
use tempfile::TempDir;

#[path = "parse_prometheus/cases.rs"]
mod cases;

/// How long Prometheus may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);

/// The formatted query or the error.
fn answer(query: &str) -> String {
    parse(query).map_or_else(|error| error.to_string(), |expr| format(&expr))
}

#[test]
fn our_answers_are_as_listed() {
    for (query, expected) in cases::AGREED {
        assert_eq!(answer(query), *expected, "of {query}");
    }
    for (query, expected, _) in cases::DIFFERENT {
        assert_eq!(answer(query), *expected, "of {query}");
    }
}

#[test]
fn prometheus_answers_as_listed() {
    let Some(program) = streamflow_oracles::prometheus("no parser was compared with the real one") else {
        return;
    };
    let prometheus = Prometheus::start(&program);
    for (query, expected) in cases::AGREED {
        assert_eq!(prometheus.answer(query), *expected, "of {query}");
    }
    for (query, ours, older) in cases::DIFFERENT {
        let found = prometheus.answer(query);
        assert!(found == *ours || found == *older, "of {query}: {found}");
    }
}

/// A running Prometheus without any data, stopped when dropped.
struct Prometheus {
    process: Child,
    /// `127.0.0.1:PORT`
    address: String,
    _directory: TempDir,
}

impl Prometheus {
    fn start(program: &Path) -> Self {
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("prometheus.yml");
        std::fs::write(&config, "").unwrap();
        let mut process = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let address = listening_address(&mut log);
        // The rest of the log is read so that its pipe never fills; the thread ends with the process.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let prometheus = Self { process, address, _directory: directory };
        // It answers 503 for as long as it starts.
        let started = Instant::now();
        while prometheus.get("/-/ready").0 != 200 {
            assert!(started.elapsed() < START_MAX, "Prometheus is not ready");
            std::thread::yield_now();
        }
        prometheus
    }

    fn answer(&self, query: &str) -> String {
        let mut path = String::from("/api/v1/format_query?query=");
        for byte in query.bytes() {
            write!(path, "%{byte:02x}").unwrap();
        }
        let (_, body) = self.get(&path);
        let (_, text) = body.split_once("\"data\":\"").or_else(|| body.split_once("\"error\":\"")).unwrap();
        let text = json_string(text);
        text.strip_prefix("invalid parameter \"query\": ").unwrap_or(&text).to_owned()
    }

    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // HTTP 1.0: the body is all that follows.
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The address that Prometheus says it listens on.
fn listening_address(log: &mut impl BufRead) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "Prometheus ended: {seen}");
        seen.push_str(&line);
        if let Some((_, rest)) = line.split_once("msg=\"Listening on\" address=") {
            return rest.split_whitespace().next().unwrap().to_owned();
        }
    }
}

/// The JSON string whose opening quote has been taken.
fn json_string(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().unwrap() {
            '"' => return out,
            '\\' => match chars.next().unwrap() {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'u' => {
                    let code: String = chars.by_ref().take(4).collect();
                    out.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
                }
                other => out.push(other),
            },
            c => out.push(c),
        }
    }
}
