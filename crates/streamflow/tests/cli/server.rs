//! A running server of the real binary.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::project::Project;

/// For one wait; a busy machine needs more than an idle one.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// What it printed up to its address.
    pub lines: Vec<String>,
    address: String,
}

impl Server {
    /// Starts it and reads what it prints up to the line that begins with `marker` and goes on with its address.
    pub fn start(project: &Project, args: &[&str], marker: &str) -> Self {
        Self::of(project.command(args), marker)
    }

    /// The same of a command with an environment of its own.
    pub fn of(mut command: Command, marker: &str) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = Vec::new();
        let mut address = None;
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        for line in stdout.by_ref().lines() {
            let line = line.unwrap();
            address =
                line.strip_prefix(marker).map(|rest| rest.split_whitespace().next().unwrap().to_owned());
            lines.push(line);
            if address.is_some() {
                break;
            }
        }
        let address = address.unwrap_or_else(|| panic!("it never served: {lines:#?}"));
        Self { process, stdout, lines, address }
    }

    /// What it prints next.
    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Memory of the process, shared libraries included.
    pub fn resident_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn printed(&self, part: &str) -> bool {
        self.lines.iter().any(|line| line.contains(part))
    }

    pub fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
    }

    pub fn predict(&self, body: &str) -> String {
        self.predict_with("", body)
    }

    /// With a key of the prediction API, where one is given.
    pub fn predict_with(&self, key: &str, body: &str) -> String {
        self.send(&format!(
            "POST /predict HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json\r\n\
             X-API-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    pub fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks until the answer holds `part`.
    pub fn wait_for(&self, part: &str, ask: impl Fn() -> String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = ask();
            if answer.contains(part) {
                return;
            }
            assert!(Instant::now() < deadline, "never {part:?}, at last: {answer}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Until the metric has at least this value.
    pub fn wait_for_metric(&self, metric: &str, least: f64) {
        let value = || {
            let text = self.get("/metrics");
            let line = text.lines().find(|line| line.starts_with(metric)).unwrap_or_default().to_owned();
            let value = line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0.0);
            if value >= least { "enough".to_owned() } else { format!("{metric} is {value}") }
        };
        self.wait_for("enough", value);
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop by a signal; it must end well.
    pub fn stop(mut self, signal: &str) {
        Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where the test passed.
        let _ = self.process.kill();
    }
}
