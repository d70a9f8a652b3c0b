//! A real Redis for tests, which ends with the value.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with nothing in it, which keeps nothing on disk and listens on 127.0.0.1 alone.
#[derive(Debug)]
pub struct OwnRedis {
    program: PathBuf,
    settings: Vec<String>,
    port: u16,
    process: Child,
}

/// Starts the Redis that STREAMFLOW_REDIS names, else the one in the folder of tools, with settings such as
/// `["--requirepass", "word"]`; `left_out` says what is not done without it.
///
/// # Panics
/// Where there is none and `CI=true`; where it does not start.
#[must_use]
pub fn own_redis(settings: &[&str], left_out: &str) -> Option<OwnRedis> {
    let named = std::env::var_os("STREAMFLOW_REDIS").map(PathBuf::from);
    let of_tools =
        || Some(PathBuf::from(std::env::var_os("STREAMFLOW_CACHE")?).join("redis/bin/redis-server"));
    let program = named.or_else(of_tools);
    let reason = format!("STREAMFLOW_REDIS names no Redis: {program:?}");
    let program = super::there(program, &reason, left_out)?;
    let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a port of this machine")
        .local_addr()
        .expect("it has an address")
        .port();
    let process = start(&program, &settings, port);
    Some(OwnRedis { program, settings, port, process })
}

fn start(program: &PathBuf, settings: &[String], port: u16) -> Child {
    let mut process = Command::new(program)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(settings)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if process.try_wait().is_ok_and(|ended| ended.is_some()) || Instant::now() > deadline {
            let mut said = String::new();
            let _ = process.kill();
            let _ = process.stdout.take().map(|mut stdout| stdout.read_to_string(&mut said));
            panic!("Redis did not start: {said}");
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    process
}

impl OwnRedis {
    /// Where it answers, as `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again, empty and at the same place.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(&mut self) {
        self.process = start(&self.program, &self.settings, self.port);
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_again_after_it_was_stopped_and_ends_with_its_test() {
        let Some(mut redis) = own_redis(&[], "no server was started") else { return };
        let address = redis.address();
        assert!(TcpStream::connect(&address).is_ok(), "{address}");
        redis.stop();
        assert!(TcpStream::connect(&address).is_err());
        redis.start();
        assert!(TcpStream::connect(&address).is_ok());
        drop(redis);
        assert!(TcpStream::connect(&address).is_err());
    }
}
