//! A client that sends exactly the bytes it is told to, also those no library would send.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

/// A connection that is kept alive.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub async fn new(address: SocketAddr) -> Client {
        Client(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// One request with a body of known length, and its response.
    pub async fn send(&mut self, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.write(&request_bytes(request, headers, body)).await;
        self.response().await.expect("a response")
    }

    pub async fn get(&mut self, path: &str) -> Response {
        self.send(&format!("GET {path}"), &[], b"").await
    }

    pub async fn post(&mut self, path: &str, body: &str) -> Response {
        self.send(&format!("POST {path}"), &[("Content-Type", "application/json")], body.as_bytes()).await
    }

    /// The next response; `None` when the server closed the connection instead.
    pub async fn response(&mut self) -> Option<Response> {
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Response { status, headers, body })
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.0.read_line(&mut line).await.ok()?;
        (length > 0).then(|| line.trim_end().to_owned())
    }
}

/// `request` is a method and a path.
pub fn request_bytes(request: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{request} HTTP/1.1\r\nhost: test\r\n");
    for (name, value) in headers {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        bytes.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    [bytes.as_bytes(), b"\r\n", body].concat()
}
