//! Certificates for tests, made by openssl.

use std::path::Path;
use std::process::Command;

/// Writes into `dir` the certificate `NAME.pem` of 127.0.0.1 with its key `NAME.key`, and the authority `NAME-ca.pem` that
/// vouches for it.
///
/// # Panics
/// Where there is no openssl, and where it fails.
pub fn certificate(dir: &Path, name: &str) {
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(dir, &format!("req -x509 {curve} -keyout {name}-ca.key -out {name}-ca.pem -subj /CN={name}-ca"));
    openssl(
        dir,
        &format!(
            "req -x509 {curve} -keyout {name}.key -out {name}.pem -subj /CN={name} -CA {name}-ca.pem -CAkey {name}-ca.key \
             -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
        ),
    );
}

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl").args(args.split(' ')).current_dir(dir).output();
    let output = output.expect("the test needs the program openssl");
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}
