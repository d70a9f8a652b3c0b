//! A crowd of clients that ask for predictions as fast as they are answered, and try again at once when they are refused:
//! how long the answered and the refused ones wait.
//!
//!     cargo run --release --example crowd -- 127.0.0.1:8000 '{"user_id":"1"}' CONNECTIONS SECONDS
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Waits = BTreeMap<u16, Vec<Duration>>;

/// Answers of the first seconds are left out: connecting is not what is measured.
const WARM_UP: Duration = Duration::from_secs(3);

/// One thread that serves the clients in turn: what a client waits for here is not what is measured.
fn main() -> anyhow::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_io_events_per_tick(32).global_queue_interval(1);
    runtime.build()?.block_on(crowd())
}

async fn crowd() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, body, connections, seconds] = &arguments[..] else {
        anyhow::bail!("expected ADDRESS BODY CONNECTIONS SECONDS");
    };
    let begin = Instant::now() + WARM_UP;
    let end = begin + Duration::from_secs(seconds.parse()?);
    let clients: Vec<_> = (0..connections.parse::<usize>()?)
        .map(|_| {
            let (address, body) = (address.clone(), body.clone());
            tokio::spawn(async move { client(&address, &body, begin, end).await })
        })
        .collect();
    let (mut waits, mut broken) = (Waits::new(), 0);
    for client in clients {
        match client.await? {
            Ok(of_client) => of_client.into_iter().for_each(|(code, mut of_code)| {
                waits.entry(code).or_default().append(&mut of_code);
            }),
            Err(_) => broken += 1,
        }
    }
    for (code, mut of_code) in waits {
        of_code.sort_unstable();
        let at = |share: usize| of_code[(of_code.len() - 1) * share / 1000].as_secs_f64() * 1000.0;
        println!(
            "{code}: {} answers, p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms",
            of_code.len(),
            at(500),
            at(990),
            at(999)
        );
    }
    println!("{broken} connections broke");
    Ok(())
}

async fn client(address: &str, body: &str, begin: Instant, end: Instant) -> anyhow::Result<Waits> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "POST /predict HTTP/1.1\r\nHost: crowd\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (mut waits, mut buffer) = (Waits::new(), vec![0; 16 << 10]);
    while Instant::now() < end {
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let code = answer(&mut stream, &mut buffer).await?;
        if sent >= begin {
            waits.entry(code).or_default().push(sent.elapsed());
        }
    }
    Ok(waits)
}

/// Reads one answer and gives its status.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<u16> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        length += read;
        let text = std::str::from_utf8(&buffer[..length])?;
        let Some(head) = text.find("\r\n\r\n") else { continue };
        let body = text[..head].lines().find_map(|line| line.strip_prefix("content-length: "));
        if length >= head + 4 + body.context("an answer has a length")?.parse::<usize>()? {
            return Ok(text[9..12].parse()?);
        }
    }
}
