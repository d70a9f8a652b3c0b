//! A project folder in which the real binary is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub struct Project {
    pub dir: tempfile::TempDir,
}

/// What a command printed and how it ended.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    /// A folder as `streamflow init` leaves it.
    pub fn new() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        project.ok(&["init", "."]);
        project
    }

    /// With the generated months of `rows` users under `drops/`.
    pub fn with_sample(rows: u32) -> Self {
        let project = Self::new();
        project.ok(&["sample", "--out", "drops", "--rows", &rows.to_string()]);
        project
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamflow"));
        command.args(args).current_dir(self.dir.path());
        for inherited in [
            "STREAMFLOW_CONFIG",
            "STREAMFLOW_DATA_DIR",
            "REPORT_DIR",
            "PREFECT_API_URL",
            "MLFLOW_TRACKING_URI",
            "RUST_LOG",
        ] {
            command.env_remove(inherited);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Runs a command that must succeed and gives its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 0, "streamflow {}: {}", args.join(" "), run.stderr);
        run.stdout
    }

    /// Runs a command again and again and kills it at ever later moments, until it ends by itself; how often it was killed.
    /// `look` follows each time.
    pub fn killed(&self, args: &[&str], mut look: impl FnMut()) -> usize {
        let start = || self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut kills = 0;
        for step in 0.. {
            let mut process = start();
            let deadline = Instant::now() + Duration::from_millis(3 * step);
            while Instant::now() < deadline && process.try_wait().unwrap().is_none() {
                std::thread::park_timeout(Duration::from_micros(200));
            }
            if process.try_wait().unwrap().is_some() {
                break;
            }
            process.kill().unwrap();
            process.wait().unwrap();
            kills += 1;
            look();
        }
        kills
    }

    /// Runs a command with `--format json` that must succeed.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(&[args, &["--format", "json"]].concat())).unwrap()
    }

    /// Every file below `relative` with its bytes.
    pub fn files(&self, relative: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        read_below(&self.path(relative), &mut found);
        found
    }

    pub fn edit(&self, relative: &str, change: impl FnOnce(String) -> String) {
        let path = self.path(relative);
        let changed = change(std::fs::read_to_string(&path).unwrap());
        std::fs::write(path, changed).unwrap();
    }
}

fn read_below(path: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            read_below(&entry.unwrap().path(), found);
        }
    } else if path.exists() {
        found.insert(path.to_path_buf(), std::fs::read(path).unwrap());
    }
}

/// The folder of the two real months; as [`shared`].
pub fn course() -> Option<PathBuf> {
    shared("data/course")
}

/// A folder of data beside the project, or `None` (loudly) where it is not there. Fails instead when `CI=true`.
pub fn shared(part: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var("STREAMFLOW_SHARED").unwrap_or_else(|_| default.to_owned());
    let folder = Path::new(&shared).join(part);
    if folder.exists() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", folder.display());
    eprintln!("SKIPPED: {} is missing, nothing was tested on it", folder.display());
    None
}
