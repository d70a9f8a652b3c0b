//! What starts flows beside the clock: drops in a folder, new snapshots, decisions, alerts, the end of other flows. Each
//! event has a name, and is handled by one run however often it is seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use streamflow_dataset::Period;
use streamflow_drift::Decision;

use super::catalog::{Known, all};
use super::start::{Start, schedule};
use super::{blocking, days};
use crate::config::Trigger;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// How long nothing in a drop may have changed before it counts as whole, unless it is marked.
const STABLE_AFTER: Duration = Duration::from_secs(5);
/// The file that marks a drop as whole.
const MARK: &str = "_SUCCESS";

/// Looks for what starts flows.
pub struct Triggers {
    workspace: Workspace,
    metrics: Option<streamflow_prometheus::Handle>,
    /// What was wrong at the last look, to be told once.
    told: BTreeMap<String, String>,
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
        Self { workspace, metrics, told: BTreeMap::new() }
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

    async fn of_flow(&self, flow: Known<'_>) -> anyhow::Result<()> {
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
    async fn drops(&self, folder: PathBuf) -> anyhow::Result<Vec<Event>> {
        let snapshots = self.workspace.snapshots.clone();
        blocking(move || {
            let mut events = Vec::new();
            for path in folders(&folder)? {
                let Some(as_of) = date_in_name(&path) else { continue };
                let is_new = snapshots.snapshots()?.iter().all(|snapshot| snapshot.as_of != as_of);
                if is_new && let Some(written) = whole_since(&path)? {
                    events.push(Event {
                        name: format!("drop {} {written}", path.display()),
                        cause: format!("drop {}", path.display()),
                        period: Some(as_of.to_string()),
                        drop: Some(std::path::absolute(&path)?),
                    });
                }
            }
            events.sort_by(|a, b| a.period.cmp(&b.period));
            Ok(events)
        })
        .await
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

/// The first date in the name of a folder: `month_2024-02-29`, `2024-02-29`.
fn date_in_name(folder: &Path) -> Option<Period> {
    const LENGTH: usize = 10;
    let name = folder.file_name()?.to_str()?;
    (0..name.len()).find_map(|start| name.get(start..start + LENGTH)?.parse().ok())
}

/// When a drop was last written, in milliseconds since 1970; none while somebody may still write it.
fn whole_since(drop: &Path) -> anyhow::Result<Option<u128>> {
    let mut newest = SystemTime::UNIX_EPOCH;
    let (mut files, mut marked) = (0, false);
    for entry in std::fs::read_dir(drop)? {
        let entry = entry?;
        marked |= entry.file_name() == MARK;
        files += 1;
        newest = newest.max(entry.metadata()?.modified()?);
    }
    // A clock that was set back makes an age that is not known; then the mark alone counts.
    let is_stable = newest.elapsed().is_ok_and(|age| age >= STABLE_AFTER);
    let written = newest.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    Ok((files > 0 && (marked || is_stable)).then_some(written))
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
        ] {
            let found = date_in_name(&Path::new("drops").join(name)).map(|date| date.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_drop_is_whole_when_it_is_marked_or_has_rested() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(whole_since(dir.path()).unwrap(), None, "an empty folder is no drop");
        let file = dir.path().join("users.csv");
        std::fs::write(&file, "user_id\n").unwrap();
        assert_eq!(whole_since(dir.path()).unwrap(), None, "it was written just now");
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        assert!(whole_since(dir.path()).unwrap().is_some(), "it has rested");
        std::fs::write(&file, "user_id\n1\n").unwrap();
        assert_eq!(whole_since(dir.path()).unwrap(), None, "it is being written again");
        std::fs::write(dir.path().join(MARK), "").unwrap();
        assert!(whole_since(dir.path()).unwrap().is_some(), "it is marked");
        assert!(folders(&dir.path().join("nowhere")).unwrap().is_empty());
    }
}
