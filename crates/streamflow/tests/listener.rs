//! The accept loop of both planes against clients that are slow, many or wrong.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "api/client.rs"]
mod client;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use client::{Client, request_bytes};
use streamflow::server::{self, ConnectionLimits, Listening};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

/// More than all buffers between two sockets of this machine hold.
const LARGE_BYTES: usize = 64 << 20;

impl Server {
    async fn start(limits: ConnectionLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/unread", post(async || "no key"))
            .route("/length", post(async |body: Bytes| body.len().to_string()))
            .route("/large", get(async || vec![0_u8; LARGE_BYTES]));
        let (stop, stopped) = oneshot::channel::<()>();
        let app = move |request| server::answer(router.clone(), request);
        Self {
            address,
            stop,
            task: tokio::spawn(server::serve(Listening::new(listener, limits), app, stopped)),
        }
    }

    async fn client(&self) -> Client {
        Client::new(self.address).await
    }
}

const HALF_BODY: &[u8] = b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\nhalf";

#[tokio::test]
async fn clients_that_keep_it_waiting_give_way() {
    let server =
        Server::start(ConnectionLimits { max_connections: 200, ..ConnectionLimits::default() }).await;
    let mut slow = Vec::new();
    for number in 0..300 {
        let mut client = server.client().await;
        client.write(if number % 2 == 0 { HALF_BODY } else { b"GET / HTTP/1.1\r\nhost: te" }).await;
        slow.push(client);
    }
    for _ in 0..20 {
        assert_eq!(server.client().await.post("/length", "whole").await.text(), "5");
    }
    assert!(slow[0].response().await.is_none(), "the first that kept the server waiting was let go");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let limits = ConnectionLimits { write_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    let server = Server::start(limits).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &request_bytes("GET /large", &[], b"")).await.unwrap();
    // The answer stays unread until the server has done with this client.
    server.stop.send(()).unwrap();
    server.task.await.unwrap().unwrap();
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    assert!(read.len() < LARGE_BYTES, "{} bytes of the answer arrived", read.len());
}

#[tokio::test]
async fn a_client_between_two_requests_is_told_that_the_server_stops() {
    let server = Server::start(ConnectionLimits::default()).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = server.client().await;
        assert_eq!(client.get("/").await.header("connection"), None);
        clients.push(client);
    }
    server.stop.send(()).unwrap();
    // Connections are refused from when the server has begun to stop.
    while tokio::net::TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for client in &mut clients {
        let answer = client.get("/").await;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        assert!(client.response().await.is_none());
    }
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_names_one_host() {
    let server = Server::start(ConnectionLimits::default()).await;
    for (head, expected) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\n\r\n", 200),
    ] {
        let mut client = server.client().await;
        client.write(head.as_bytes()).await;
        let answer = client.response().await.unwrap();
        assert_eq!(answer.status, expected, "{head:?}");
        if expected == 400 {
            assert!(answer.json()["error"].as_str().unwrap().contains("Host"), "{head:?}");
        }
    }
}

/// A refusal does not wait for the body: a small one is taken none the less, and of a large or late one the answer says
/// that it is the last.
#[tokio::test]
async fn an_answer_that_did_not_wait_for_the_body_keeps_the_connection_or_says_that_it_ends() {
    let server = Server::start(ConnectionLimits::default()).await;
    let head = |length: usize, more: &str| {
        format!("POST /unread HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n{more}\r\n").into_bytes()
    };
    let mut client = server.client().await;
    for pause_ms in [0, 200] {
        client.write(&head(4, "")).await;
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        client.write(b"late").await;
        let response = client.response().await.unwrap();
        assert_eq!((response.status, response.header("connection")), (200, None), "{pause_ms}");
    }
    assert_eq!(client.get("/").await.text(), "hello");
    for (length, more) in [(1 << 20, ""), (4, ""), (4, "expect: 100-continue\r\n")] {
        let mut client = server.client().await;
        client.write(&head(length, more)).await;
        let response = client.response().await.unwrap();
        assert_eq!((response.status, response.header("connection")), (200, Some("close")), "{length} {more}");
    }
}
