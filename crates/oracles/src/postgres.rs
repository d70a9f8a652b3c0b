//! A real Postgres for tests: one for all tests of a run, in which each test makes a schema of its own, or one of a test
//! alone, which it may stop.
//!
//! The programs are Debian's, or those in the folder that STREAMFLOW_POSTGRES_BIN names. Where STREAMFLOW_POSTGRES_URL
//! names a server, that one is shared and none is started. Root starts it as the user postgres, since Postgres refuses to
//! be root's; its files lie below the system's temporary folder and go with it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The user who may run it where root starts it.
const USER: &str = "postgres";
/// Where Debian has the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// How long it may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a server does without that holds data for a minute.
const SETTINGS: &str = "fsync = off\nfull_page_writes = off\nlisten_addresses = '127.0.0.1'\nmax_connections = 400\nshared_buffers = 64MB\n";

/// The URL of a server that all tests of this run share; `left_out` says what is not done without it.
///
/// # Panics
/// Where there is none and `CI=true`; where it does not start.
#[must_use]
pub fn postgres(left_out: &str) -> Option<String> {
    if let Ok(url) = std::env::var("STREAMFLOW_POSTGRES_URL") {
        return Some(url);
    }
    let programs = programs(left_out)?;
    // nextest runs each test in a process of its own, and tells all of them the same number.
    let (run, until) = match std::env::var("NEXTEST_RUN_ID") {
        Ok(run) => (run, std::os::unix::process::parent_id()),
        Err(_) => (std::process::id().to_string(), std::process::id()),
    };
    let dir = std::env::temp_dir().join(format!("streamflow-postgres-{run}"));
    fs::create_dir_all(&dir).expect("the temporary folder can be written to");
    let lock = File::create(dir.join("lock")).expect("a file in a folder of one's own");
    lock.lock().expect("a lock of one's own");
    let told = dir.join("url");
    if let Ok(url) = fs::read_to_string(&told) {
        return Some(url);
    }
    let server = Server::make(programs, dir.join("server"));
    server.start();
    server.stop_after(until, &dir);
    fs::write(&told, server.url()).expect("a file in a folder of one's own");
    Some(server.url())
}

/// A server of one test, which ends with the value.
///
/// # Panics
/// As [`postgres`].
#[must_use]
pub fn own_postgres(left_out: &str) -> Option<OwnPostgres> {
    own(left_out, |_| {})
}

/// The same, which takes encrypted connections alone and shows the certificate `NAME.pem` in `dir`, with its key `NAME.key`.
///
/// # Panics
/// As [`postgres`]; where there are no such files.
#[must_use]
pub fn own_encrypted_postgres((dir, name): (&Path, &str), left_out: &str) -> Option<OwnPostgres> {
    own(left_out, |server| server.encrypt(dir, name))
}

fn own(left_out: &str, change: impl FnOnce(&Server)) -> Option<OwnPostgres> {
    let programs = programs(left_out)?;
    let name = format!("streamflow-postgres-own-{}-{}", std::process::id(), free_port());
    let dir = std::env::temp_dir().join(name);
    fs::create_dir_all(&dir).expect("the temporary folder can be written to");
    let server = Server::make(programs, dir.join("server"));
    change(&server);
    server.start();
    // It ends too where the test is killed.
    server.stop_after(std::process::id(), &dir);
    Some(OwnPostgres { server, dir })
}

/// A server that its test may stop and start again.
#[derive(Debug)]
pub struct OwnPostgres {
    server: Server,
    dir: PathBuf,
}

impl OwnPostgres {
    /// Its URL, with the database and the user that are there from the start.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Ends it at once, as a crash does.
    ///
    /// # Panics
    /// Where it does not end.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// Starts it again with what it had written.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(&self) {
        self.server.start();
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        let _ = self.server.control(&["stop", "-m", "immediate", "-w"]).status();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A server and its files.
#[derive(Debug)]
struct Server {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Server {
    /// Makes an empty database.
    fn make(programs: PathBuf, dir: PathBuf) -> Self {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("the temporary folder can be written to");
        if is_root() {
            said_well(Command::new("chown").arg(USER).arg(&dir));
        }
        let server = Self { programs, data: dir.join("data"), port: free_port() };
        let mut make = server.command("initdb");
        make.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]);
        said_well(make.args(["--username", USER, "--pgdata"]).arg(&server.data));
        let settings =
            format!("{SETTINGS}port = {}\nunix_socket_directories = '{}'\n", server.port, dir.display());
        let file = server.data.join("postgresql.auto.conf");
        fs::write(file, settings).expect("the settings of a server of one's own");
        server
    }

    /// Takes encrypted connections alone. Postgres refuses a key that others may read.
    fn encrypt(&self, dir: &Path, name: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        for ending in ["pem", "key"] {
            let file = self.data.join(format!("server.{ending}"));
            fs::copy(dir.join(format!("{name}.{ending}")), &file).expect("a certificate and its key");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a file of one's own");
            if is_root() {
                said_well(Command::new("chown").arg(USER).arg(&file));
            }
        }
        let file = self.data.join("postgresql.auto.conf");
        let settings = fs::read_to_string(&file).expect("the settings of a server of one's own");
        let settings =
            format!("{settings}ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n");
        fs::write(file, settings).expect("the settings of a server of one's own");
        let allowed = "hostssl all all 127.0.0.1/32 trust\n";
        fs::write(self.data.join("pg_hba.conf"), allowed).expect("the settings of a server of one's own");
    }

    fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    fn start(&self) {
        let log = self.data.with_file_name("log");
        let started = self.control(&["start", "-w", "-t", "60", "-l"]).arg(&log).status();
        let is_started = started.is_ok_and(|status| status.success());
        assert!(is_started, "Postgres did not start: {}", fs::read_to_string(&log).unwrap_or_default());
    }

    fn stop(&self) {
        let asked = Instant::now();
        let stopped = self.control(&["stop", "-m", "immediate", "-w"]).status();
        assert!(
            stopped.is_ok_and(|status| status.success()) && asked.elapsed() < PATIENCE,
            "Postgres did not stop"
        );
    }

    /// Has a shell of its own stop it when a process is there no more, and take its files away.
    fn stop_after(&self, process: u32, dir: &Path) {
        let stop = "while kill -0 \"$1\" 2>/dev/null; do sleep 1; done; shift; dir=$1; shift; \"$@\"; rm -rf \"$dir\"";
        let stopping = self.control(&["stop", "-m", "immediate", "-w"]);
        #[allow(clippy::zombie_processes, reason = "it is to outlive this process")]
        let _ = Command::new("setsid")
            .args(["sh", "-c", stop, "sh", &process.to_string()])
            .arg(dir)
            .arg(stopping.get_program())
            .args(stopping.get_args())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
    }

    fn control(&self, words: &[&str]) -> Command {
        let mut control = self.command("pg_ctl");
        control.arg("--pgdata").arg(&self.data).args(words);
        control
    }

    /// A program, run by somebody who may.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match is_root() {
            false => Command::new(program),
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"]).arg(program);
                command
            }
        };
        // What a server inherits keeps the test's own output open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        command
    }
}

/// The folder of the newest programs.
fn programs(left_out: &str) -> Option<PathBuf> {
    let named = std::env::var_os("STREAMFLOW_POSTGRES_BIN").map(PathBuf::from);
    let newest = || {
        let versions = fs::read_dir(DEBIAN).ok()?.flatten();
        let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let newest = versions.map(|entry| entry.path()).max_by_key(version)?;
        Some(newest.join("bin"))
    };
    let folder = named.or_else(newest);
    let program = folder.as_ref().map(|folder| folder.join("initdb"));
    let reason =
        format!("there is no Postgres in {DEBIAN}, and STREAMFLOW_POSTGRES_BIN names none: {program:?}");
    super::there(program, &reason, left_out)?;
    folder
}

fn said_well(command: &mut Command) {
    let status = command.status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
    listener.local_addr().expect("it has an address").port()
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_server_answers_again_after_it_was_stopped_and_ends_with_its_test() {
        let Some(postgres) = own_postgres("no server was started") else { return };
        let address = postgres.url().split(['@', '/']).nth(3).expect("a URL").to_owned();
        let answers = || TcpStream::connect(&address).is_ok();
        assert!(answers(), "{address}");
        postgres.stop();
        assert!(!answers());
        postgres.start();
        assert!(answers());
        let dir = postgres.dir.clone();
        drop(postgres);
        assert!(!answers() && !dir.exists());
    }

    #[test]
    fn all_tests_share_one_server() {
        let Some(first) = postgres("no server was started") else { return };
        assert_eq!(postgres("no server was started"), Some(first));
    }
}
