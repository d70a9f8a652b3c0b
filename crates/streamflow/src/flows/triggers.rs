//! What starts flows beside the clock: drops in a folder, new snapshots, decisions, alerts, the end of other flows. Each
//! event has a name, and is handled by one run however often it is seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use streamflow_dataset::Period;
use streamflow_drift::Decision;

use super::catalog::{Known, all};
use super::start::{Start, schedule};
use super::{blocking, days};
use crate::config::Trigger;
use crate::random::hex;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// How long a drop must have looked the same before it counts as whole, unless it is marked.
const STABLE_AFTER: Duration = Duration::from_secs(5);
/// The file that marks a drop as whole.
const MARK: &str = "_SUCCESS";
/// Bytes of the hash that names what a drop holds.
const HASH_BYTES: usize = 8;

/// Looks for what starts flows.
pub struct Triggers {
    workspace: Workspace,
    metrics: Option<streamflow_prometheus::Handle>,
    /// What was wrong at the last look, to be told once.
    told: BTreeMap<String, String>,
    /// What the drops in the watched folders held.
    seen: Seen,
}

/// What drops held when they were last looked at, and since when. The times of their files say nothing of that: a copy
/// may bring those of its original. It is kept in memory, so that after a restart every drop has to rest again.
#[derive(Debug, Default)]
struct Seen(BTreeMap<PathBuf, (String, Instant)>);

/// A drop as it was found.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    as_of: Period,
    content: Content,
}

/// What a drop holds.
#[derive(Debug, Default)]
struct Content {
    /// The hash of the names, sizes and times of its files; none while it has no file.
    hash: Option<String>,
    /// Whether it says itself that it is whole.
    is_marked: bool,
}

/// Something that happened.
struct Event {
    /// Names it for one flow.
    name: String,
    cause: String,
    period: Option<String>,
    drop: Option<PathBuf>,
}

impl Triggers {
    pub fn new(workspace: Workspace, metrics: Option<streamflow_prometheus::Handle>) -> Self {
        Self { workspace, metrics, told: BTreeMap::new(), seen: Seen::default() }
    }

    /// Writes through this workspace from here on.
    pub fn write_by(&mut self, workspace: Workspace) {
        self.workspace = workspace;
    }

    /// Records a run for each event since the last look, wherever this server was then.
    pub async fn look(&mut self) -> anyhow::Result<()> {
        let config = self.workspace.config.clone();
        for flow in all(&config).filter(|flow| flow.config.is_some()) {
            let found = self.of_flow(flow).await;
            let wrong = found.err().map(|error| one_line(&error)).unwrap_or_default();
            if !wrong.is_empty() && self.told.get(flow.name) != Some(&wrong) {
                tracing::error!("what starts flow {} cannot be looked at: {wrong}", flow.name);
            }
            self.told.insert(flow.name.to_owned(), wrong);
        }
        Ok(())
    }

    async fn of_flow(&mut self, flow: Known<'_>) -> anyhow::Result<()> {
        let Some(config) = flow.config else { return Ok(()) };
        if let Some(folder) = &config.watch {
            let events = self.drops(self.workspace.config.base.join(folder)).await?;
            self.start(flow, events).await?;
        }
        for trigger in config.triggers()? {
            match trigger {
                Trigger::Snapshot => self.snapshots(flow).await?,
                Trigger::Alert(name) => self.start(flow, self.alerts(&name)).await?,
                Trigger::Flow(_) | Trigger::Decision => self.completions(flow, &trigger).await?,
                Trigger::Webhook => {}
            }
        }
        Ok(())
    }

    async fn start(&self, flow: Known<'_>, events: Vec<Event>) -> anyhow::Result<()> {
        for event in events {
            let mut given = flow
                .config
                .map(|config| days::filled(&config.parameters, Timestamp::now()))
                .unwrap_or_default();
            self.complete(flow, &event, &mut given);
            let parameters = flow.parameters(&given)?;
            if let Some(period) = flow.period(&parameters)
                && self.workspace.store.is_waiting(flow.name, period).await?
            {
                continue;
            }
            let name = format!("{} {}", flow.name, event.name);
            let start = Start { event: Some(&name), ..Start::now(&parameters, &event.cause) };
            schedule(&self.workspace, flow, &start).await?;
        }
        Ok(())
    }

    /// Adds the month and the folder of the event where the flow takes them and nothing else was configured.
    fn complete(&self, flow: Known<'_>, event: &Event, given: &mut Map<String, Value>) {
        if let (Some(name), Some(period)) = (flow.period_parameter(), &event.period) {
            given.entry(name).or_insert_with(|| json!(period));
        }
        if let Some(drop) = &event.drop {
            given.entry("drop").or_insert_with(|| json!(drop));
        }
    }

    /// The drops in a folder that are whole and whose month was not ingested, oldest first.
    async fn drops(&mut self, folder: PathBuf) -> anyhow::Result<Vec<Event>> {
        let (snapshots, of_folder) = (self.workspace.snapshots.clone(), folder.clone());
        let mut found = blocking(move || {
            let ingested: Vec<Period> =
                snapshots.snapshots()?.iter().map(|snapshot| snapshot.as_of).collect();
            let mut found = Vec::new();
            for path in folders(&folder)? {
                let Some(as_of) = date_in_name(&path).filter(|as_of| !ingested.contains(as_of)) else {
                    continue;
                };
                found.push(Found { content: content(&path)?, path, as_of });
            }
            Ok(found)
        })
        .await?;
        found.sort_by_key(|drop| drop.as_of);
        self.seen.forget_others(&of_folder, &found);
        let mut events = Vec::new();
        for Found { path, as_of, content } in found {
            if let Some(hash) = self.seen.whole(&path, content, Instant::now()) {
                events.push(Event {
                    name: format!("drop {} {hash}", path.display()),
                    cause: format!("drop {}", path.display()),
                    period: Some(as_of.to_string()),
                    drop: Some(std::path::absolute(&path)?),
                });
            }
        }
        Ok(events)
    }

    /// The snapshots that were made since the last look. What was there when the trigger was new is no event.
    async fn snapshots(&self, flow: Known<'_>) -> anyhow::Result<()> {
        let (snapshots, mark) = (self.workspace.snapshots.clone(), format!("{} snapshots", flow.name));
        let found = blocking(move || Ok(snapshots.snapshots()?)).await?;
        let names: Vec<(String, String)> = found
            .iter()
            .map(|snapshot| (snapshot.as_of.to_string(), format!("{} {}", snapshot.as_of, snapshot.revision)))
            .collect();
        let position = serde_json::to_string(&names.iter().map(|(_, name)| name).collect::<Vec<_>>())?;
        let seen = self.workspace.store.watermark(&mark).await?;
        if seen.as_ref() == Some(&position) {
            return Ok(());
        }
        if let Some(seen) = seen {
            let seen: Vec<String> = serde_json::from_str(&seen).unwrap_or_default();
            let new = names.into_iter().filter(|(_, name)| !seen.contains(name));
            let events = new.map(|(as_of, name)| Event {
                name: format!("snapshot {name}"),
                cause: format!("snapshot {as_of}"),
                period: Some(as_of),
                drop: None,
            });
            self.start(flow, events.collect()).await?;
        }
        Ok(self.workspace.store.set_watermark(&mark, &position).await?)
    }

    /// The runs that completed since the last look.
    async fn completions(&self, flow: Known<'_>, trigger: &Trigger) -> anyhow::Result<()> {
        let (store, mark) = (&self.workspace.store, format!("{} {trigger:?}", flow.name));
        let Some(position) = store.watermark(&mark).await?.and_then(|position| position.parse().ok()) else {
            let position = store.last_transition().await?;
            return Ok(store.set_watermark(&mark, &position.to_string()).await?);
        };
        let completions = store.completions(position).await?;
        let Some(last) = completions.last().map(|completion| completion.id) else { return Ok(()) };
        let wanted = completions.into_iter().filter(|completion| match trigger {
            Trigger::Flow(name) => completion.flow == *name,
            _ => completion.state_name == Decision::RetrainingTriggered.as_str(),
        });
        let events = wanted.map(|completion| Event {
            name: format!("after run {}", completion.run),
            cause: format!("{} run {}", completion.flow, completion.run),
            period: completion.period,
            drop: None,
        });
        self.start(flow, events.collect()).await?;
        Ok(store.set_watermark(&mark, &last.to_string()).await?)
    }

    fn alerts(&self, wanted: &str) -> Vec<Event> {
        let firing = self.metrics.iter().flat_map(streamflow_prometheus::Handle::firing_alerts);
        let events = firing.filter(|(name, _)| name == wanted).map(|(name, active_at)| Event {
            name: format!("alert {name} {active_at}"),
            cause: format!("alert {name}"),
            period: None,
            drop: None,
        });
        events.collect()
    }
}

/// The folders in a folder; none where it is not there yet.
fn folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(
                anyhow::Error::from(error).context(format!("cannot list the drops in {}", folder.display()))
            );
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The first date in the name of a folder, with the time after it: `month_2024-02-29`, `2024-02-29`, `2024-02-29T13-00`.
fn date_in_name(folder: &Path) -> Option<Period> {
    const LENGTH: usize = 10;
    let name = folder.file_name()?.to_str()?;
    let is_date =
        |start: &usize| name.get(*start..start + LENGTH).is_some_and(|date| date.parse::<Period>().is_ok());
    let (date, rest) = name[(0..name.len()).find(is_date)?..].split_at(LENGTH);
    match rest.strip_prefix('T').filter(|time| time.starts_with(|c: char| c.is_ascii_digit())) {
        None => date.parse().ok(),
        // A time that is none must not pass for its day.
        Some(time) => format!("{date}T{}", minute(time)?).parse().ok(),
    }
}

/// `HH:MM` of a text that begins with it, with a colon, what stands for one in names, or nothing between its parts.
fn minute(text: &str) -> Option<String> {
    let (hours, rest) = text.split_at_checked(2)?;
    let rest = ["%3A", ":", "-", "_"].iter().find_map(|colon| rest.strip_prefix(colon)).unwrap_or(rest);
    let (minutes, rest) = rest.split_at_checked(2)?;
    let is_over = !rest.trim_start_matches([':', '-', '_']).starts_with(|c: char| c.is_ascii_digit());
    is_over.then(|| format!("{hours}:{minutes}"))
}

impl Seen {
    /// The hash of a drop that nobody writes any more: one that is marked, or that has looked the same for long enough.
    fn whole(&mut self, path: &Path, Content { hash, is_marked }: Content, now: Instant) -> Option<String> {
        let Some(hash) = hash else {
            self.0.remove(path);
            return None;
        };
        let since = match self.0.get(path) {
            Some((known, since)) if *known == hash => *since,
            _ => {
                self.0.insert(path.to_path_buf(), (hash.clone(), now));
                now
            }
        };
        (is_marked || now.duration_since(since) >= STABLE_AFTER).then_some(hash)
    }

    /// Forgets the drops of a folder that are not among those found there.
    fn forget_others(&mut self, folder: &Path, found: &[Found]) {
        self.0.retain(|path, _| path.parent() != Some(folder) || found.iter().any(|drop| drop.path == *path));
    }
}

/// What a drop holds now, the files of its subfolders included.
fn content(drop: &Path) -> anyhow::Result<Content> {
    let mut files = Vec::new();
    let mut folders = vec![drop.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // A file may be gone again, and a link may lead nowhere yet: both are no whole drop.
            let Ok(about) = std::fs::metadata(entry.path()) else { return Ok(Content::default()) };
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                let written = about.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                files.push((entry.path(), about.len(), written.as_nanos()));
            }
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    for (path, bytes, written) in &files {
        let name = path.strip_prefix(drop).unwrap_or(path);
        hash.update(format!("{name:?} {bytes} {written}\n"));
    }
    Ok(Content {
        hash: (!files.is_empty()).then(|| hex(&hash.finalize()[..HASH_BYTES])),
        is_marked: files.iter().any(|(path, ..)| *path == drop.join(MARK)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_its_date() {
        for (name, expected) in [
            ("month_2024-02-29", Some("2024-02-29")),
            ("2024-02-29", Some("2024-02-29")),
            ("drop-2024-02-29-final", Some("2024-02-29")),
            ("2024-02-30", None),
            ("february", None),
            ("ä2024-02-29", Some("2024-02-29")),
            ("2024-02-29T13-00", Some("2024-02-29T13:00")),
            ("drop_2024-02-29T1300Z", Some("2024-02-29T13:00")),
            ("2024-02-29T13:00.tmp", Some("2024-02-29T13:00")),
            ("as_of=2024-02-29T13%3A00", Some("2024-02-29T13:00")),
            ("2024-02-29Tuesday", Some("2024-02-29")),
            ("2024-02-29T24-00", None),
            ("2024-02-29T13", None),
            ("2024-02-29T13-00-30", None),
            ("2024-02-29Té", Some("2024-02-29")),
            ("2024-02-29T1é", None),
        ] {
            let found = date_in_name(&Path::new("drops").join(name)).map(|date| date.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_drop_is_whole_when_it_is_marked_or_has_rested_whatever_its_times_say() {
        let dir = tempfile::tempdir().unwrap();
        let (mut seen, start) = (Seen::default(), Instant::now());
        let mut at = |seconds| {
            seen.whole(dir.path(), content(dir.path()).unwrap(), start + Duration::from_secs(seconds))
        };
        let long_ago = SystemTime::now() - Duration::from_secs(86_400);
        let write = |name: &str, text: &str, age: u64| {
            let file = dir.path().join(name);
            std::fs::write(&file, text).unwrap();
            let file = std::fs::File::options().write(true).open(&file).unwrap();
            file.set_modified(long_ago - Duration::from_secs(age)).unwrap();
        };
        assert_eq!(at(0), None, "an empty folder is no drop");
        write("users.csv", "user_id\n", 0);
        assert_eq!(at(0), None, "it was not seen before, whatever its files say");
        assert_eq!(at(4), None, "it has not rested for long enough");
        write("fees.csv", "user_id\n", 500);
        assert_eq!(at(6), None, "another file came, older than the first");
        assert_eq!(at(10), None);
        let rested = at(11).expect("it has rested");
        assert_eq!(at(60).as_ref(), Some(&rested), "the same drop has the same name");
        write("fees.csv", "user_id\n1\n", 500);
        assert_eq!(at(61), None, "it is being written again");
        assert_ne!(at(66).expect("it has rested again"), rested);
        std::fs::create_dir(dir.path().join("visits")).unwrap();
        write("visits/part-1.csv", "user_id\n", 0);
        assert_eq!(at(67), None, "a table that is a folder is a part of the drop");
        std::fs::write(dir.path().join(MARK), "").unwrap();
        assert!(at(67).is_some(), "it is marked");
        assert!(folders(&dir.path().join("nowhere")).unwrap().is_empty());
    }

    #[test]
    fn a_drop_that_is_gone_has_to_rest_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("2024-02-29");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("users.csv"), "user_id\n").unwrap();
        let (mut seen, start) = (Seen::default(), Instant::now());
        let later = start + STABLE_AFTER;
        seen.whole(&path, content(&path).unwrap(), start);
        seen.forget_others(Path::new("another/folder"), &[]);
        assert!(seen.whole(&path, content(&path).unwrap(), later).is_some());
        seen.forget_others(dir.path(), &[]);
        assert_eq!(seen.whole(&path, content(&path).unwrap(), later), None);
    }
}
