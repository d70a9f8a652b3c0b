//! The two servers that are asked the same: ours, and a real Prometheus over the same samples.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, read_to_string};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use streamflow_prometheus::{Server, Settings, Source};
use streamflow_tsdb::{Db, Labels};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::http::send;

/// For every single wait: a second or less, on a busy machine many more.
pub const WAIT_MAX: Duration = Duration::from_secs(120);

/// A series: its labels, and milliseconds since 1970 with values.
pub struct Series {
    pub labels: Vec<(String, String)>,
    pub samples: Vec<(i64, f64)>,
}

impl Series {
    pub fn new(labels: &[(&str, &str)], samples: impl IntoIterator<Item = (i64, f64)>) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self { labels: labels.iter().map(owned).collect(), samples: samples.into_iter().collect() }
    }
}

/// Ours, on a thread of its own; stops when dropped.
pub struct Ours {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
    _dir: TempDir,
}

impl Ours {
    /// With the samples in its store, and all tasks running by the configuration.
    pub fn start(series: &[Series], config: &str, rules: &str) -> Self {
        Self::start_with(series, config, rules, |_| {})
    }

    /// As [`Ours::start`], with other settings.
    pub fn start_with(
        series: &[Series],
        config: &str,
        rules: &str,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        std::fs::write(dir.path().join("rules.yml"), rules).unwrap();
        let mut settings = Settings {
            retention_days: 100 * 365,
            admin_api: true,
            ..Settings::new(dir.path().join("data"), Source::File(file))
        };
        change(&mut settings);
        let (stop, stopped) = watch::channel(false);
        let (ready, is_ready) = std::sync::mpsc::channel();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(Server::open(settings)).unwrap();
        append(&server.handle().db(), series);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let app = server.handle().router();
                let mut end = stopped.clone();
                let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
                    let _ = end.wait_for(|stop| *stop).await;
                });
                let serving = tokio::spawn(serving.into_future());
                server.run(stopped).await.unwrap();
                serving.await.unwrap().unwrap();
            });
        });
        Self { address: is_ready.recv().unwrap(), stop, thread: Some(thread), _dir: dir }
    }
}

impl Ours {
    /// Writes the configuration anew; a reload takes it.
    pub fn write_config(&self, config: &str) {
        std::fs::write(self._dir.path().join("prometheus.yml"), config).unwrap();
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Until the answer to a request holds a text.
pub fn wait_for(address: SocketAddr, request: &str, part: &str) {
    let started = Instant::now();
    while !send(address, request, &[], b"").text().contains(part) {
        assert!(started.elapsed() < WAIT_MAX, "{request} does not answer {part}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// All samples in the order of time, as a scraper would bring them.
fn append(db: &Db, series: &[Series]) {
    let mut by_time: BTreeMap<i64, Vec<(&Series, f64)>> = BTreeMap::new();
    for series in series {
        for (time, value) in &series.samples {
            by_time.entry(*time).or_default().push((series, *value));
        }
    }
    let mut batch = db.batch();
    for (time, samples) in by_time {
        for (series, value) in samples {
            let labels = Labels::new(series.labels.iter().map(|(name, value)| (name, value)));
            batch.add(&labels, time, value).unwrap();
        }
    }
    batch.commit().unwrap();
}

/// A real Prometheus on a free port; killed when dropped.
pub struct Prometheus {
    pub address: SocketAddr,
    process: Child,
    _dir: TempDir,
}

impl Prometheus {
    /// `None`, loudly, where STREAMFLOW_PROMETHEUS names none. Fails instead when `CI=true`.
    pub fn start(series: &[Series], config: &str, rules: &str) -> Option<Self> {
        let program = streamflow_oracles::prometheus("nothing was compared with a real one")?;
        let dir = TempDir::new().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if !series.is_empty() {
            make_blocks(&program.with_file_name("promtool"), series, dir.path(), &data);
        }
        Some(Self::launch(&program, dir, config, rules, &[]))
    }

    /// A Prometheus 3 with native histograms; `None`, loudly, where there is none.
    pub fn start_3(config: &str, left_out: &str) -> Option<Self> {
        Self::start_3_with("native-histograms", config, left_out)
    }

    /// The same with other features.
    pub fn start_3_with(features: &str, config: &str, left_out: &str) -> Option<Self> {
        let program = streamflow_oracles::prometheus_3(left_out)?;
        let features = format!("--enable-feature={features}");
        Some(Self::launch(&program, TempDir::new().unwrap(), config, "", &[&features]))
    }

    fn launch(program: &Path, dir: TempDir, config: &str, rules: &str, arguments: &[&str]) -> Self {
        std::fs::write(dir.path().join("prometheus.yml"), config).unwrap();
        std::fs::write(dir.path().join("rules.yml"), rules).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let process = Command::new(program)
            .args(arguments)
            .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .args(["--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0"])
            .args(["--web.enable-lifecycle", "--web.enable-remote-write-receiver", "--web.enable-admin-api"])
            .args(["--log.format=json"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        // Owned before anything can fail, so that it is killed then too.
        let mut prometheus = Self { address: ([127, 0, 0, 1], 0).into(), process, _dir: dir };
        prometheus.wait();
        prometheus
    }

    /// Until it listens and answers.
    fn wait(&mut self) {
        let log_file = self._dir.path().join("log");
        let started = Instant::now();
        loop {
            let log = read_to_string(&log_file).unwrap();
            let lines = log.lines().rev();
            let mut lines = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let listening = lines.find(|line| line["msg"] == "Listening on");
            if let Some(address) = listening.and_then(|line| line["address"].as_str()?.parse().ok()) {
                self.address = address;
                if send(address, "GET /-/ready", &[], b"").status == 200 {
                    return;
                }
            }
            assert!(started.elapsed() < WAIT_MAX, "prometheus is not ready: {log}");
            assert!(self.process.try_wait().unwrap().is_none(), "prometheus has ended: {log}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // An error says that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes the samples as blocks of a Prometheus database.
fn make_blocks(promtool: &Path, series: &[Series], dir: &Path, data: &Path) {
    let file = dir.join("samples.om");
    std::fs::write(&file, openmetrics(series)).unwrap();
    let made = Command::new(promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&file, data])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", promtool.display()));
    assert!(made.status.success(), "promtool: {}", String::from_utf8_lossy(&made.stderr));
}

fn openmetrics(series: &[Series]) -> String {
    let mut text = String::new();
    for Series { labels, samples } in series {
        let name = &labels.iter().find(|(name, _)| name == "__name__").unwrap().1;
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels
            .iter()
            .filter(|(name, _)| name != "__name__")
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        for (time, value) in samples {
            let value = if value.is_infinite() { format!("{value:+}") } else { format!("{value}") };
            let value = value.replace("inf", "Inf");
            writeln!(text, "{name}{{{}}} {value} {}.{:03}", labels.join(","), time / 1000, time % 1000)
                .unwrap();
        }
    }
    text.push_str("# EOF\n");
    text
}
