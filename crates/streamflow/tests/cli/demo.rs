//! `streamflow demo`: everything from one command, and again from what is there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::project::Project;

struct Demo {
    process: Child,
    lines: Vec<String>,
    address: String,
}

impl Demo {
    /// Starts it and reads what it prints up to where it says that it serves.
    fn start(project: &Project) -> Self {
        let mut process = project
            .command(&["demo", "demo", "--listen", "127.0.0.1:0", "--rate", "100"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = Vec::new();
        let mut address = None;
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(rest) = line.strip_prefix("Serving at http://") {
                address = rest.split_whitespace().next().map(str::to_owned);
            }
            lines.push(line);
            if address.is_some() {
                break;
            }
        }
        let address = address.unwrap_or_else(|| panic!("it never served: {lines:#?}"));
        Self { process, lines, address }
    }

    fn printed(&self, part: &str) -> bool {
        self.lines.iter().any(|line| line.contains(part))
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The value of a metric once `enough` of it, within a minute.
    fn wait_for(&self, metric: &str, enough: f64) -> f64 {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let text = self.get("/metrics");
            let line = text.lines().find(|line| line.starts_with(metric)).unwrap_or_default().to_owned();
            let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap_or(0.0);
            if value >= enough {
                return value;
            }
            assert!(Instant::now() < deadline, "{metric} is {value} after a minute");
        }
    }

    /// Ctrl-C; it must end well.
    fn stop(mut self) {
        Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It has ended already where the test passed.
        let _ = self.process.kill();
    }
}

#[test]
fn serves_reports_and_is_reused_by_a_second_run() {
    let project = Project::new();
    let demo = Demo::start(&project);
    assert!(demo.printed("train     churn version 1"), "{:#?}", demo.lines);
    assert!(demo.printed("-> NO_ACTION") && demo.printed("-> RETRAINING_TRIGGERED"), "{:#?}", demo.lines);
    demo.wait_for("api_requests_total ", 50.0);
    assert!(demo.wait_for("api_responses_total{code=\"404\"}", 1.0) >= 1.0, "one caller in fifty is unknown");
    demo.stop();
    assert_eq!(project.files("demo/reports/drift").len(), 6);

    let before = project.files("demo/data/snapshots");
    let again = Demo::start(&project);
    assert!(again.printed("unchanged") && again.printed("is there already"), "{:#?}", again.lines);
    again.wait_for("api_requests_total ", 1.0);
    again.stop();
    assert_eq!(project.files("demo/data/snapshots"), before);
}
