//! What channels are told by the real binary: listeners on the loopback interface take it, refuse it, or hang.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::Project;
use crate::server::Server;

/// For one message; a busy machine needs more than an idle one.
const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "a secret of the test";

/// A request as a webhook got it.
struct Request {
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// What the receiver of a webhook does: the signature is that of the secret, and it was made just now.
    fn is_genuine(&self) -> bool {
        let timestamp = self.header("X-StreamFlow-Timestamp");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        let digits = self.header("X-StreamFlow-Signature").strip_prefix("sha256=").unwrap_or_default();
        let signature: Vec<u8> = (0..digits.len() / 2)
            .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        let age = jiff::Timestamp::now().as_second() - timestamp.parse::<i64>().unwrap();
        let signed = format!("{timestamp}.{}", self.body);
        ring::hmac::verify(&key, signed.as_bytes(), &signature).is_ok() && age.abs() < 300
    }
}

/// An HTTP server that gives what it got and answers each request with the next status; the last one repeats.
fn webhook(statuses: &'static [u16]) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/hook/very-secret", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for (place, stream) in listener.incoming().flatten().enumerate() {
            let status = statuses[place.min(statuses.len() - 1)];
            if answer(stream, status, &sender).is_none() {
                return;
            }
        }
    });
    (url, requests)
}

fn answer(stream: TcpStream, status: u16, sender: &Sender<Request>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let length =
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let text = "thanks";
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
    reader.get_mut().write_all(head.as_bytes()).ok()?;
    sender.send(Request { headers, body: String::from_utf8(body).unwrap() }).ok()
}

/// A mail server of a few commands, and the mails that it got.
fn mail_server() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, mails) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Some(mail) = mail(stream) {
                sender.send(mail).unwrap();
            }
        }
    });
    (port, mails)
}

fn mail(stream: TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let say =
        |reader: &mut BufReader<TcpStream>, text: &str| reader.get_mut().write_all(text.as_bytes()).ok();
    say(&mut reader, "220 test ESMTP\r\n")?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.split([' ', '\r']).next()? {
            "EHLO" => say(&mut reader, "250 test\r\n")?,
            "DATA" => {
                say(&mut reader, "354 go on\r\n")?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    reader.read_line(&mut mail).ok().filter(|read| *read > 0)?;
                }
                say(&mut reader, "250 kept as 7\r\n")?;
                return Some(mail);
            }
            _ => say(&mut reader, "250 ok\r\n")?,
        }
    }
}

/// A listener that takes connections and says nothing.
fn hanging() -> (u16, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    (listener.local_addr().unwrap().port(), listener)
}

/// Two months ingested, with these channels.
fn project(channels: &str) -> Project {
    let project = Project::with_sample(300);
    for month in ["2024-01-31", "2024-02-29"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    // Nobody was to be told of this one.
    assert_eq!(project.run(&["monitor", "--reference", "2024-01-31", "--current", "2030-01-31"]).code, 1);
    project.edit("streamflow.toml", |text| format!("{text}\n{channels}"));
    project
}

/// Compares the months; a threshold of 0 gives RETRAINING_TRIGGERED and one of 1 NO_ACTION, whatever the data.
fn monitor(project: &Project, threshold: &str, variables: &[(&str, &str)]) -> (String, Duration) {
    let arguments =
        ["monitor", "--reference", "2024-01-31", "--current", "2024-02-29", "--threshold", threshold];
    let begun = Instant::now();
    let output = project.command(&arguments).envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stderr).unwrap(), begun.elapsed())
}

#[test]
fn a_command_tells_a_decision_once_and_that_it_is_over() {
    let (url, requests) = webhook(&[200]);
    let (port, mails) = mail_server();
    let project = project(&format!(
        "[notify.hook]\nkind = \"webhook\"\nurl_env = \"HOOK_URL\"\nsecret_file = \"hook-secret\"\n\
         [notify.mail]\nkind = \"mail\"\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
         from = \"StreamFlow <sf@example.org>\"\nto = [\"ops@example.org\"]\non = [\"decision\"]\n"
    ));
    std::fs::write(project.path("hook-secret"), format!("{SECRET}\n")).unwrap();
    let variables = [("HOOK_URL", url.as_str())];

    for threshold in ["0", "0", "1", "1"] {
        let (stderr, _) = monitor(&project, threshold, &variables);
        assert_eq!(stderr, "");
    }
    let told: Vec<Request> = requests.try_iter().collect();
    let whats: Vec<Value> = told.iter().map(|request| request.json()["what"].clone()).collect();
    assert_eq!(whats, ["decision", "resolved"], "once each");
    for request in &told {
        assert!(request.is_genuine());
    }
    let decision = told[0].json();
    for (field, expected) in
        [("flow", "monitor_month"), ("period", "2024-02-29"), ("decision", "RETRAINING_TRIGGERED")]
    {
        assert_eq!(decision[field], expected, "{decision}");
    }
    let run = decision["run"].as_i64().unwrap();
    assert_eq!(decision["url"], format!("http://127.0.0.1:9090/runs/{run}"));
    assert!(decision["message"].as_str().unwrap().starts_with("drift_share="), "{decision}");

    let mail = mails.recv_timeout(PATIENCE).unwrap();
    assert!(
        mail.contains("Subject: [StreamFlow] monitor_month 2024-02-29: RETRAINING_TRIGGERED\r\n"),
        "{mail}"
    );
    assert!(mail.contains("drift_share="), "{mail}");
    assert!(mails.try_recv().is_err(), "this channel is told of decisions only");
}

#[test]
fn a_channel_that_hangs_or_refuses_costs_five_seconds_at_most_and_no_run() {
    let (refusing, refused) = webhook(&[500]);
    let (port, _listener) = hanging();
    let project = project(&format!(
        "[notify.refusing]\nkind = \"slack\"\nurl_env = \"REFUSING\"\n\
         [notify.mail]\nkind = \"mail\"\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
         from = \"sf@example.org\"\nto = [\"ops@example.org\"]\n\
         [notify.unset]\nkind = \"slack\"\nurl_env = \"NOT_SET_ANYWHERE\"\n"
    ));
    let (_, without) = monitor(&project, "1", &[]);
    let (stderr, with) = monitor(&project, "0", &[("REFUSING", &refusing)]);
    // A loaded machine may take long for the comparison itself.
    assert!(with < without * 3 + Duration::from_secs(8), "{with:?} with channels, {without:?} without news");
    for part in [
        "channel refusing was not told: notify.refusing: it answered 500",
        "channel unset was not told: notify.unset: the variable NOT_SET_ANYWHERE is not set",
        "not everybody was told within 5s",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(!stderr.contains("very-secret"), "{stderr}");
    let text = refused.recv_timeout(PATIENCE).unwrap().json()["text"].clone();
    assert!(text.as_str().unwrap().starts_with("monitor_month 2024-02-29: RETRAINING_TRIGGERED\n"), "{text}");
}

#[test]
fn a_server_tells_failures_of_commands_and_promotions() {
    let (url, requests) = webhook(&[500, 200]);
    let channel = "[notify.chat]\nkind = \"slack\"\nurl_file = \"chat-url\"\n\
                   template = \"{what} {flow} {period} {decision}: {message}\"\n";
    let project = project(channel);
    std::fs::write(project.path("chat-url"), &url).unwrap();
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let text = |request: &Request| request.json()["text"].as_str().unwrap().to_owned();
    assert_eq!(
        text(&requests.recv_timeout(PATIENCE).unwrap()),
        "promotion   PROMOTED: churn version 1 is in production, by the first version"
    );
    let up = ["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    let server = Server::start(&project, &up, "listening on http://");
    let failed = project.run(&["monitor", "--reference", "2024-01-31", "--current", "2024-12-31"]);
    assert_eq!((failed.code, failed.stderr.contains("was not told")), (1, false), "{}", failed.stderr);
    // The first try was refused, so the server sends both after ten seconds.
    let mut told: Vec<String> = (0..2).map(|_| text(&requests.recv_timeout(PATIENCE).unwrap())).collect();
    told.sort();
    assert!(told[0].starts_with("failure monitor_month 2024-12-31 Failed: "), "{told:?}");
    assert!(told[1].starts_with("promotion "), "{told:?}");
    server.stop("-TERM");
}

#[test]
fn a_test_message_says_what_came_back() {
    let (url, requests) = webhook(&[200, 404]);
    let (port, mails) = mail_server();
    let project = Project::new();
    project.edit("streamflow.toml", |text| {
        format!(
            "{text}\n[notify.chat]\nkind = \"slack\"\nurl_env = \"CHAT_URL\"\n\
             [notify.mail]\nkind = \"mail\"\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
             from = \"sf@example.org\"\nto = [\"ops@example.org\"]\n"
        )
    });
    let test = |name: &str| {
        let output = project.command(&["notify", "test", name]).env("CHAT_URL", &url).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    for (name, code, expected) in [
        ("chat", 0, "chat took the message: 200 OK thanks"),
        ("chat", 1, "notify.chat: it answered 404 Not Found thanks"),
        ("mail", 0, "mail took the message: 250 kept as 7"),
        (
            "chta",
            1,
            "there is no channel \"chta\" under [notify] in the configuration; its channels are chat, mail; did you mean chat?",
        ),
    ] {
        let (found, text) = test(name);
        assert_eq!(found, code, "{text}");
        assert!(text.contains(expected) && !text.contains("very-secret"), "{text}");
    }
    let text = requests.recv_timeout(PATIENCE).unwrap().body;
    assert!(text.contains("a test of the channel chat"), "{text}");
    assert!(mails.recv_timeout(PATIENCE).unwrap().contains("To: ops@example.org"));
    assert!(project.ok(&["notify", "ls"]).contains("decision, failure, approval, promotion, resolved"));
}
