//! A server of S3's protocol on this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// moto's server; it ends with the value.
#[derive(Debug)]
pub struct S3Server {
    child: Child,
    /// Where it listens, as `127.0.0.1:PORT`.
    pub address: String,
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl S3Server {
    /// Starts it with one bucket, `shop`; none where it is not installed.
    ///
    /// # Panics
    /// Where it is not installed and `CI=true`; where it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let program = crate::moto("nothing was asked of a bucket")?;
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("moto_server can be run");
        let said = child.stderr.take().expect("standard error is a pipe");
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let listens =
            |line: String| line.split_once("Running on http://").map(|(_, rest)| rest.trim().to_owned());
        let address = lines.by_ref().find_map(listens).expect("the server says where it listens");
        // A full pipe would stop the server.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { child, address };
        server.ask("PUT", "/shop");
        Some(server)
    }

    /// Sends a request with a signature that is none, which must succeed.
    ///
    /// # Panics
    /// Where it does not.
    pub fn ask(&self, method: &str, path: &str) {
        let _ = self.exchange(method, path, &[]);
    }

    /// The same with a body, and gives the body of the answer.
    ///
    /// # Panics
    /// Where it does not succeed.
    #[must_use]
    pub fn exchange(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let address = &self.address;
        let mut stream = TcpStream::connect(address).expect("the server listens");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}", body.len());
        // The server asks who it is and does not look at the signature.
        let who = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20240131/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        write!(stream, "{head}\r\nAuthorization: {who}\r\nConnection: close\r\n\r\n")
            .expect("it takes a request");
        stream.write_all(body).expect("it takes a body");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        assert!(answer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&answer));
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("the answer has a head");
        answer.split_off(head + 4)
    }
}
