//! What an operator should know at once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use crate::http::send;
use crate::servers::Ours;

#[test]
fn a_reload_that_fails_is_told_until_one_succeeds() {
    let server = Ours::start(&[], "", "");
    let current = || send(server.address, "GET /api/v1/notifications", &[], b"").json()["data"].clone();
    assert_eq!(current(), serde_json::json!([]));
    let mut stream = TcpStream::connect(server.address).unwrap();
    write!(stream, "GET /api/v1/notifications/live HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "HTTP/1.1 200 OK");
    assert!(lines.by_ref().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")));
    let mut event = || {
        let line = lines.find(|line| line.starts_with("data: ")).unwrap();
        serde_json::from_str::<serde_json::Value>(&line["data: ".len()..]).unwrap()
    };

    server.write_config("nonsense: {");
    assert_eq!(send(server.address, "POST /-/reload", &[], b"").status, 500);
    let told = &current()[0];
    assert_eq!((&told["text"], &told["active"]), (&"Configuration reload has failed.".into(), &true.into()));
    assert_eq!(event(), *told);
    server.write_config("");
    assert_eq!(send(server.address, "POST /-/reload", &[], b"").status, 200);
    assert_eq!(current(), serde_json::json!([]));
    let ended = event();
    assert_eq!((&ended["text"], &ended["active"]), (&told["text"], &false.into()));
}
