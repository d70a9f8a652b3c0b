//! Closes the minutes, keeps them and judges the windows: once a minute, beside the requests.
//!
//! Every server of a store closes a minute when it ends and stores it at once. A few seconds later each reads what the
//! others have stored, and the alarms that they have in common, and judges: whichever server is asked, the verdict is that
//! of all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use streamflow_live::{Minute, Status};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::followed::{Changes, Followed};
use super::pending::Pending;
use super::{Idle, Live, LiveStatus, history, now_ms, reference, this_minute};
use crate::clock::{Clock, Verdict, by_words};
use crate::random::{random_bytes, random_hex};
use crate::serving::Served;
use crate::store::Store;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// How often the served version and the clock are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How long after its end a minute is judged: by then the other servers have stored theirs, as their clocks allow.
const SETTLED_AFTER_MS: u64 = 5_000;
/// Minutes for which a version is looked at that is no longer served.
const AFTERWARDS: i64 = 60;
/// Minutes between two times that old minutes are taken together.
const FOLD_EVERY: i64 = 15;
/// Minutes after which what others have stored is read from the beginning: single minutes are taken together after ninety.
const READ_ON_FOR: i64 = 60;

/// Looks at the traffic of the served version.
pub struct Watch {
    workspace: Workspace,
    served: Served,
    live: Live,
    pending: Pending,
    followed: Vec<Followed>,
    /// A version without a reference, and the minute in which it was tried.
    refused: Option<(String, i64)>,
    minute: i64,
    /// The minute that has ended and is not judged yet.
    due: Option<i64>,
    folded: i64,
    clock: Clock,
    idle: Idle,
    alerts: BTreeMap<String, u64>,
}

impl Watch {
    /// Looks at what is told to `live` of the versions in `served`.
    ///
    /// # Errors
    /// A system without random numbers.
    pub fn new(workspace: Workspace, served: Served, live: Live) -> anyhow::Result<Self> {
        Ok(Self {
            workspace,
            served,
            live,
            pending: Pending::new(random_hex::<8>()?),
            followed: Vec::new(),
            refused: None,
            minute: this_minute(),
            due: None,
            folded: i64::MIN,
            clock: Clock::new(jiff::Timestamp::now(), Instant::now()),
            idle: Idle::NotStarted,
            alerts: BTreeMap::new(),
        })
    }

    /// Looks every second until `shutdown`, and keeps the open minute then.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        if !self.workspace.config.live.enabled {
            self.idle = Idle::Off;
            return self.publish();
        }
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_over = tokio::select! {
                _ = ticks.tick() => false,
                _ = shutdown.wait_for(|stop| *stop) => true,
            };
            match self.tick(is_over).await {
                Ok(()) => {}
                Err(error) if is_over => tracing::error!(
                    "{} minutes of live traffic are lost, since the store did not take them: {}",
                    self.pending.len(),
                    one_line(&error)
                ),
                Err(error) => {
                    tracing::error!("live traffic is looked at again in a second: {}", one_line(&error));
                }
            }
            if is_over {
                return;
            }
        }
    }

    async fn tick(&mut self, is_over: bool) -> anyhow::Result<()> {
        let now = this_minute();
        if now != self.minute || is_over {
            let ended = std::mem::replace(&mut self.minute, now);
            self.close(ended);
        }
        // Nobody else stores what is left in the end.
        if is_over {
            return Ok(self.store().await?);
        }
        let stored = if self.is_away() { Ok(()) } else { self.store().await };
        if let Some(due) = self.due.filter(|due| is_settled(*due, now_ms())) {
            self.end(due, jiff::Timestamp::now(), Instant::now()).await?;
        }
        stored?;
        self.follow_served(now).await
    }

    /// Whether the database is known not to answer, so that nobody waits for it.
    fn is_away(&self) -> bool {
        self.workspace.store.away().is_some()
    }

    /// Begins to look at the served version where it is another one, and ends with those that are no longer served.
    async fn follow_served(&mut self, now: i64) -> anyhow::Result<()> {
        let Some(serving) = self.served.load_full() else {
            if self.idle != Idle::NoModel {
                self.idle = Idle::NoModel;
                self.publish();
            }
            return Ok(());
        };
        let before = self.followed.len();
        self.followed.retain(|followed| followed.until.is_none_or(|until| until > now));
        let is_followed = self
            .followed
            .first()
            .is_some_and(|first| first.open.version == serving.model_version && first.until.is_none());
        let tried = (serving.model_version.clone(), now);
        if is_followed || self.refused.as_ref() == Some(&tried) {
            if self.followed.len() != before {
                self.reopen();
            }
            return Ok(());
        }
        for followed in &mut self.followed {
            followed.until.get_or_insert(now.saturating_add(AFTERWARDS));
        }
        let version: i64 = serving.model_version.parse()?;
        self.followed.retain(|followed| followed.version != version);
        match self.begin(version, serving.features.names()).await {
            Ok(followed) => {
                tracing::info!(version, reference = %followed.source, "looking at live traffic");
                self.followed.insert(0, followed);
                self.idle = Idle::Looking;
            }
            Err(error) => {
                let why = Idle::NoReference(one_line(&error));
                if self.idle != why {
                    tracing::warn!(version, "live traffic is not looked at: {}", one_line(&error));
                }
                self.refused = Some(tried);
                self.idle = why;
            }
        }
        self.reopen();
        Ok(())
    }

    /// Rows go into the minutes of those that are looked at now.
    fn reopen(&self) {
        let open = self.followed.iter().map(|followed| followed.open.clone()).collect();
        self.live.0.open.store(Arc::new(open));
        self.publish();
    }

    async fn begin(&self, version: i64, features: &[String]) -> anyhow::Result<Followed> {
        let seed = u64::from_le_bytes(random_bytes::<8>()?);
        let seed = self.workspace.store.live_seed(seed).await?;
        self.live.0.seed.store(seed, Ordering::Relaxed);
        let stored = reference::of_version(&self.workspace, version).await?;
        let history = history::of_stored(&self.workspace, stored).await?;
        let last = self.minute.saturating_sub(1);
        let mut followed = Followed::new(history, features, last);
        // What was known before a restart is known at once.
        followed.judge(last).await?;
        Ok(followed)
    }

    /// Takes the minute that has ended into the windows, and to what is to be stored.
    fn close(&mut self, minute: i64) {
        let statuses = self.live.0.statuses.each_ref().map(|count| count.swap(0, Ordering::Relaxed));
        for (place, followed) in self.followed.iter_mut().enumerate() {
            if place == 0 {
                count(&mut followed.open.minute(), statuses);
            }
            let closed = followed.open.close(minute);
            if !closed.is_empty() {
                followed.add(closed.clone());
                self.pending.push(followed.version, closed);
            }
        }
        self.due = Some(minute);
    }

    /// Stores the minutes that have ended.
    async fn store(&mut self) -> sqlx::Result<()> {
        let Workspace { store, config, .. } = &self.workspace;
        self.pending.store(store, &config.model.name).await
    }

    /// Judges the windows that end with this minute; while the store is away by what this server has seen.
    async fn judge(&mut self, minute: i64) -> anyhow::Result<()> {
        self.due = None;
        let met = if self.is_away() { Ok(false) } else { self.meet(minute).await.map(|()| true) };
        let Workspace { store, config, .. } = &self.workspace;
        let model = &config.model.name;
        for followed in &mut self.followed {
            let before = followed.alarms();
            let changes = followed.judge(minute).await?;
            if matches!(met, Ok(true)) {
                tell(store, model, followed, &changes, minute, before).await;
            }
            for feature in changes.begun {
                *self.alerts.entry(feature).or_default() += 1;
            }
        }
        self.publish();
        met.map(drop)
    }

    /// Takes what other servers have stored into the windows, and the alarms that all have in common.
    async fn meet(&mut self, minute: i64) -> anyhow::Result<()> {
        let Workspace { store, config, .. } = &self.workspace;
        let model = &config.model.name;
        for followed in &mut self.followed {
            if minute.saturating_sub(followed.met) > READ_ON_FOR {
                renew(&self.workspace, &self.pending, followed, minute).await?;
                continue;
            }
            let origin = self.pending.origin();
            for row in store.live_minutes_of_others(model, followed.version, origin, followed.newest).await? {
                followed.newest = followed.newest.max(row.id);
                match Minute::decode(&row.body) {
                    Ok(minute) => followed.add(minute),
                    Err(error) => tracing::warn!("a stored minute of live traffic is left out: {error}"),
                }
            }
            if let Some(alarms) = store.live_alarms(model, followed.version).await? {
                followed.agree(alarms);
            }
            followed.met = minute;
        }
        Ok(())
    }

    /// Judges a minute that has ended, when the clocks say these times.
    async fn end(&mut self, minute: i64, wall: jiff::Timestamp, monotonic: Instant) -> anyhow::Result<()> {
        let is_believed = self.believes(minute, wall, monotonic).await;
        self.judge(minute).await?;
        if is_believed { self.fold(minute).await } else { Ok(()) }
    }

    /// Takes old minutes together and deletes those that are too old, once in a while.
    async fn fold(&mut self, minute: i64) -> anyhow::Result<()> {
        if minute.saturating_sub(self.folded) >= FOLD_EVERY || minute < self.folded {
            let Workspace { store, config, .. } = &self.workspace;
            store.fold_live_minutes(&config.model.name, minute).await?;
            self.folded = minute;
        }
        Ok(())
    }

    /// Whether the clock can be believed, so that minutes may be deleted for their age. When it is believed again the windows
    /// have again what they dropped meanwhile, which the store has kept.
    async fn believes(&mut self, minute: i64, wall: jiff::Timestamp, monotonic: Instant) -> bool {
        let verdict = self.clock.look(wall, monotonic);
        match verdict {
            Verdict::Jumped(by) => tracing::warn!(
                "the clock jumped {}: no stored minute of live traffic is deleted for its age until the clock is back or \
                 was steady for an hour",
                by_words(by)
            ),
            Verdict::BelievedAgain => {
                if let Err(error) = self.read_again(minute).await {
                    tracing::error!(
                        "the windows of live traffic lack what is older than the clock's jump: {}",
                        one_line(&error)
                    );
                }
            }
            Verdict::Believed | Verdict::InDoubt => {}
        }
        verdict.is_believed()
    }

    async fn read_again(&mut self, minute: i64) -> anyhow::Result<()> {
        for followed in &mut self.followed {
            renew(&self.workspace, &self.pending, followed, minute).await?;
        }
        Ok(())
    }

    fn publish(&self) {
        let versions = self.followed.iter().filter_map(Followed::status).collect();
        self.live.0.status.store(Arc::new(LiveStatus {
            idle: self.idle.clone(),
            versions,
            alerts: self.alerts.clone(),
            waiting: self.pending.len(),
            false_alarms_per_month: self.workspace.config.live.false_alarms_per_month,
        }));
    }
}

/// Whether the other servers have stored the minute too, at this time. A clock that was set back waits for nobody.
fn is_settled(minute: i64, now_ms: u64) -> bool {
    let end_ms = u64::try_from(minute.saturating_add(1).saturating_mul(60_000)).unwrap_or_default();
    now_ms < end_ms || now_ms >= end_ms.saturating_add(SETTLED_AFTER_MS)
}

/// Reads the stored traffic of a version from the beginning.
async fn renew(
    workspace: &Workspace,
    pending: &Pending,
    followed: &mut Followed,
    minute: i64,
) -> anyhow::Result<()> {
    let stored = reference::of_version(workspace, followed.version).await?;
    let history = history::of_stored(workspace, stored).await?;
    followed.resume(history, pending.of_version(followed.version), minute);
    Ok(())
}

/// Stores what has begun and ended, and the alarms where they are others than `before`. A verdict stands without either.
async fn tell(
    store: &Store,
    model: &str,
    followed: &Followed,
    changes: &Changes,
    minute: i64,
    before: Option<serde_json::Value>,
) {
    for change in changes.told(followed.version, minute) {
        if let Err(error) = store.add_live_change(model, &change).await {
            tracing::error!("that live drift began or ended was not stored: {error}");
        }
    }
    let after = followed.alarms();
    if let Some(alarms) = after.as_ref().filter(|_| after != before)
        && let Err(error) = store.set_live_alarms(model, followed.version, alarms).await
    {
        tracing::error!("which live drift lasts was not stored: {error}");
    }
}

fn count(open: &mut streamflow_live::OpenMinute, statuses: [u64; 4]) {
    let all = [Status::Answered, Status::Unknown, Status::Invalid, Status::Other];
    for (status, number) in all.into_iter().zip(statuses) {
        open.count_many(status, number);
    }
}

#[cfg(test)]
mod tests {
    use streamflow_dataset::{Column, EntityKey, Frame, KeyPart, Values};
    use streamflow_model::{FeatureColumn, Features, Labels, Model, TrainSettings, train};

    use super::*;
    use crate::config::Config;
    use crate::live::VersionStatus;
    use crate::serving::{Entity, OnlineFeatures, Serving};

    const USERS: usize = 2_000;

    fn id(user: usize) -> String {
        format!("user {user}")
    }

    /// The hours of a user are spread evenly, whatever the number of the user.
    fn hours() -> Vec<f64> {
        (0..USERS).map(|user| (user * 7 % USERS) as f64).collect()
    }

    fn plans() -> (Vec<u32>, Vec<String>) {
        ((0..USERS as u32).map(|user| user % 3 % 2).collect(), vec!["monthly".into(), "yearly".into()])
    }

    fn model() -> Model {
        let (codes, levels) = plans();
        let features = Features::new(vec![
            ("hours".into(), FeatureColumn::Numerical(hours())),
            ("plan".into(), FeatureColumn::Categorical { codes, levels }),
        ]);
        let labels = hours().into_iter().enumerate().map(|(at, hours)| Some(hours > 900.0 || at % 5 == 0));
        let ids: Vec<String> = (0..USERS).map(id).collect();
        let settings = TrainSettings::default();
        train(&features.unwrap(), &Labels::Binary(labels.collect()), &ids, &settings).unwrap().model
    }

    fn serving(version: &str) -> Serving {
        let (codes, levels) = plans();
        let ids = Values::Text { codes: (0..USERS as u32).collect(), levels: (0..USERS).map(id).collect() };
        let columns =
            [("user_id", ids), ("hours", Values::Float(hours())), ("plan", Values::Text { codes, levels })];
        let columns = columns.map(|(name, values)| Column { name: name.into(), values });
        let frame = Frame { rows: USERS, columns: columns.into() };
        let model = model();
        Serving {
            features: Arc::new(OnlineFeatures::for_model(&model, frame, &EntityKey::new("user_id")).unwrap()),
            model,
            model_name: "churn".into(),
            model_version: version.into(),
            as_of: "2024-01-31".parse().unwrap(),
            key: EntityKey::new("user_id"),
            canary: None.into(),
        }
    }

    /// A server of one data directory, whose clock the test moves.
    struct Server {
        live: Live,
        watch: Watch,
    }

    impl Server {
        async fn start(dir: &std::path::Path, served: &Served, minute: i64) -> Self {
            let config = Arc::new(Config::example().unwrap());
            let workspace = Workspace::open(config, dir.to_path_buf(), dir.join("reports")).await.unwrap();
            for version in [1, 2] {
                let made = reference::of_rows(&model(), &serving("1").features);
                let made = serde_json::to_value(made).unwrap();
                workspace.store.add_live_reference("churn", version, "training", &made).await.unwrap();
            }
            let live = Live::default();
            let mut watch = Watch::new(workspace, served.clone(), live.clone()).unwrap();
            watch.minute = minute;
            watch.follow_served(minute).await.unwrap();
            Self { live, watch }
        }

        /// These users ask, each twice.
        fn ask(&self, serving: &Serving, users: impl Iterator<Item = usize> + Clone) {
            for user in users.clone().chain(users) {
                let parts = vec![KeyPart::Text(id(user).into())];
                let entity = Entity { key: &serving.key, parts };
                let values = serving.features.values(serving.features.find(&entity).unwrap());
                let answer = serving.model.answer(&values).unwrap();
                self.live.row(serving, Some(&entity), &values, &answer);
                self.live.request(200);
            }
        }

        /// A minute ends.
        async fn close(&mut self, minute: i64) {
            self.watch.close(minute);
            self.watch.store().await.unwrap();
            self.watch.judge(minute).await.unwrap();
        }

        async fn end(&mut self, minute: i64, (wall, monotonic): (jiff::Timestamp, Instant)) {
            self.watch.close(minute);
            self.watch.store().await.unwrap();
            self.watch.end(minute, wall, monotonic).await.unwrap();
        }

        fn entities(&self) -> Vec<(String, u64)> {
            let status = self.live.status();
            let of = |version: &VersionStatus| {
                (version.version.clone(), version.look.as_ref().unwrap().windows[0].entities)
            };
            status.versions.iter().map(of).collect()
        }
    }

    fn one(version: &str, entities: u64) -> (String, u64) {
        (version.to_owned(), entities)
    }

    #[tokio::test]
    async fn a_restart_goes_on_and_loses_the_open_minute_only() {
        let dir = tempfile::tempdir().unwrap();
        let serving = Arc::new(serving("1"));
        let served = Served::new(Some(serving.clone()).into());
        let now = this_minute() - 3;
        let mut server = Server::start(dir.path(), &served, now).await;
        // Those with many hours.
        let many = |of: usize| (0..USERS).filter(|user| user * 7 % USERS > 1_200).take(of);
        server.ask(&serving, many(300));
        server.close(now).await;
        assert_eq!(server.entities(), [one("1", 300)]);
        let status = server.live.status();
        let quarter = status.versions[0].look.as_ref().unwrap().windows[0].clone();
        assert_eq!(quarter.requests, 600);
        assert!(quarter.features[0].is_detected() && !quarter.features[1].is_detected(), "{quarter:?}");
        let since = quarter.features[0].detected_since();

        // Killed: nothing is closed.
        server.ask(&serving, many(500));
        drop(server);
        let mut server = Server::start(dir.path(), &served, now + 1).await;
        assert_eq!(server.entities(), [one("1", 300)]);
        let found = server.live.status().versions[0].look.clone().unwrap();
        assert_eq!(found.windows[0].features[0].detected_since(), since);
        server.ask(&serving, many(400));
        server.close(now + 1).await;
        assert_eq!(server.entities(), [one("1", 400)]);
    }

    #[tokio::test]
    async fn a_clock_that_jumps_ahead_deletes_no_minute_and_the_windows_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let serving = Arc::new(serving("1"));
        let served = Served::new(Some(serving.clone()).into());
        let now = this_minute() - 3;
        let mut server = Server::start(dir.path(), &served, now).await;
        let (wall, monotonic) = (jiff::Timestamp::now(), Instant::now());
        let at = |seconds: u64, days: i64| {
            let passed = Duration::from_secs(seconds);
            (wall + passed + jiff::SignedDuration::from_hours(24 * days), monotonic + passed)
        };
        let days = |days: i64| days * 24 * 60;
        server.ask(&serving, 0..220);
        server.end(now, at(0, 0)).await;
        assert_eq!(server.entities(), [one("1", 220)]);

        server.end(now + days(34), at(75, 34)).await;
        assert_eq!(server.entities(), [one("1", 0)]);
        let store = server.watch.workspace.store.clone();
        assert_eq!(store.live_minutes("churn", 1).await.unwrap().len(), 1, "nothing is deleted");
        server.end(now + 1, at(150, 0)).await;
        assert_eq!(server.entities(), [one("1", 220)]);

        // A clock that stays there is believed after an hour.
        for (seconds, kept) in [(200, 1), (3_700, 1), (3_801, 0)] {
            server.end(now + days(34), at(seconds, 34)).await;
            assert_eq!(store.live_minutes("churn", 1).await.unwrap().len(), kept, "{seconds}");
        }
    }

    #[tokio::test]
    async fn a_clock_that_goes_back_and_forth_and_a_week_without_requests_lose_no_minute() {
        let dir = tempfile::tempdir().unwrap();
        let serving = Arc::new(serving("1"));
        let served = Served::new(Some(serving.clone()).into());
        let now = this_minute() - 3;
        let mut server = Server::start(dir.path(), &served, now).await;
        let (wall, monotonic) = (jiff::Timestamp::now(), Instant::now());
        let at = |seconds: u64, hours: i64| {
            let passed = Duration::from_secs(seconds);
            (wall + passed + jiff::SignedDuration::from_hours(hours), monotonic + passed)
        };
        let of_windows = |server: &Server| {
            let look = server.live.status().versions[0].look.clone().unwrap();
            look.windows.iter().map(|window| (window.entities, window.requests)).collect::<Vec<_>>()
        };
        // An hour back, forth and back again (everybody asks twice): each minute is that of the clock, and the same one may come twice.
        server.ask(&serving, 0..220);
        server.end(now, at(60, 0)).await;
        server.ask(&serving, 200..240);
        server.end(now - 60, at(120, -1)).await;
        server.ask(&serving, 0..20);
        server.end(now + 1, at(180, 0)).await;
        server.ask(&serving, 230..260);
        server.end(now - 60, at(240, -1)).await;
        server.end(now + 2, at(300, 0)).await;
        assert_eq!(of_windows(&server), [(220, 480), (220, 480), (260, 620), (260, 620)]);
        let store = server.watch.workspace.store.clone();
        assert_eq!(store.live_minutes("churn", 1).await.unwrap().len(), 4);

        // A week without requests passes, of which the clock tells the truth.
        let week = 7 * 24 * 60;
        server.ask(&serving, 0..10);
        server.end(now + 2 + week, at(300 + 7 * 24 * 3_600, 0)).await;
        assert_eq!(of_windows(&server), [(10, 20); 4]);
        let look = server.live.status().versions[0].look.clone().unwrap();
        let is_detected =
            |window: &streamflow_live::WindowLook| window.features.iter().any(|found| found.is_detected());
        assert!(!look.windows.iter().any(is_detected), "{look:?}");
    }

    #[tokio::test]
    async fn two_servers_of_a_directory_see_each_others_minutes() {
        let dir = tempfile::tempdir().unwrap();
        let serving = Arc::new(serving("1"));
        let served = Served::new(Some(serving.clone()).into());
        let now = this_minute() - 3;
        let mut first = Server::start(dir.path(), &served, now).await;
        let mut second = Server::start(dir.path(), &served, now).await;
        first.ask(&serving, 0..200);
        second.ask(&serving, 150..250);
        for server in [&mut first, &mut second] {
            server.watch.close(now);
            server.watch.store().await.unwrap();
        }
        for server in [&mut first, &mut second] {
            server.watch.judge(now).await.unwrap();
            assert_eq!(server.entities(), [one("1", 250)]);
        }

        // A minute that waits for the store is seen by its own server at once, and by the other when it is stored.
        first.ask(&serving, 250..300);
        first.watch.close(now + 1);
        first.watch.judge(now + 1).await.unwrap();
        second.close(now + 1).await;
        assert_eq!((first.entities(), first.live.status().waiting), (vec![one("1", 300)], 1));
        assert_eq!(second.entities(), [one("1", 250)]);
        first.close(now + 2).await;
        second.close(now + 2).await;
        assert_eq!((first.entities(), first.live.status().waiting), (vec![one("1", 300)], 0));
        assert_eq!(second.entities(), [one("1", 300)]);

        // One that was stopped for so long that minutes were taken together meanwhile.
        first.ask(&serving, 300..320);
        first.close(now + 3).await;
        first.watch.fold(now + 120).await.unwrap();
        second.close(now + 120).await;
        let day = second.live.status().versions[0].look.as_ref().unwrap().windows[3].clone();
        assert_eq!((day.entities, day.requests), (320, 740));
    }

    #[tokio::test]
    async fn two_servers_agree_since_when_a_feature_drifts() {
        let dir = tempfile::tempdir().unwrap();
        let serving = Arc::new(serving("1"));
        let served = Served::new(Some(serving.clone()).into());
        let now = this_minute() - 3;
        let mut first = Server::start(dir.path(), &served, now).await;
        let mut second = Server::start(dir.path(), &served, now).await;
        let since = |server: &Server| {
            let look = server.live.status().versions[0].look.clone().unwrap();
            look.windows[0].features[0].detected_since()
        };
        // The first judges before the second has stored anything.
        first.ask(&serving, (0..USERS).filter(|user| user * 7 % USERS > 1_200).take(300));
        first.close(now).await;
        assert_eq!(since(&first), Some(now));
        // Everybody asks the second: both together see no drift, and the alarm lasts for its window.
        second.ask(&serving, 0..USERS);
        for minute in [now, now + 1] {
            second.close(minute).await;
            first.close(minute).await;
            assert_eq!((since(&first), since(&second)), (Some(now), Some(now)), "{minute}");
        }
    }

    #[tokio::test]
    async fn a_certificate_dates_an_alarm_at_the_look_that_raised_it() {
        let dir = tempfile::tempdir().unwrap();
        let serving = Arc::new(serving("1"));
        // The quarter of an hour goes on for ten more minutes.
        let now = (this_minute() - 30).div_euclid(15) * 15 + 4;
        let mut server = Server::start(dir.path(), &Served::new(Some(serving.clone()).into()), now).await;
        server.ask(&serving, (0..USERS).filter(|user| user * 7 % USERS > 1_200).take(300));
        server.close(now).await;

        let workspace = &server.watch.workspace;
        let history = history::read(workspace, 1).await.unwrap().unwrap();
        let certificate = super::super::Certificate::of(&history, &workspace.config.live);
        let alarms = certificate.alarms;
        let expected = super::super::document::look_of(now);
        assert!(!alarms.is_empty() && alarms.iter().all(|alarm| alarm.since == expected), "{alarms:?}");
    }

    #[tokio::test]
    async fn two_servers_with_different_versions_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (Arc::new(serving("1")), Arc::new(serving("2")));
        let now = this_minute() - 3;
        let of_old = Served::new(Some(old.clone()).into());
        let mut first = Server::start(dir.path(), &of_old, now).await;
        let mut second = Server::start(dir.path(), &Served::new(Some(new.clone()).into()), now).await;
        first.ask(&old, 0..200);
        second.ask(&new, 150..250);
        for minute in [now, now + 1] {
            first.close(minute).await;
            second.close(minute).await;
        }
        assert_eq!((first.entities(), second.entities()), (vec![one("1", 200)], vec![one("2", 100)]));

        // The one that follows the promotion has what the other one saw of the version.
        of_old.store(Some(new));
        first.watch.follow_served(now + 2).await.unwrap();
        first.close(now + 2).await;
        assert_eq!(first.entities(), [one("2", 100), one("1", 200)]);
    }

    #[tokio::test]
    async fn of_a_canary_the_features_are_seen_and_not_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let (production, candidate) = (Arc::new(serving("1")), serving("2"));
        let now = this_minute() - 3;
        let mut server = Server::start(dir.path(), &Served::new(Some(production.clone()).into()), now).await;
        server.ask(&production, 0..220);
        server.ask(&candidate, 220..260);
        server.close(now).await;
        assert_eq!(server.entities(), [one("1", 260)]);
        let features = server.live.status().versions[0].look.as_ref().unwrap().windows[0].features.clone();
        let seen = |place: usize| features[place].live.iter().sum::<u64>();
        assert_eq!((seen(0), seen(2), seen(3)), (260, 220, 220), "forty say nothing of the outputs");
        let drifted: Vec<_> = features.iter().map(streamflow_live::FeatureLook::is_detected).collect();
        let missing = |place: usize| features[place].live.last().copied();
        assert_eq!((missing(2), missing(3), drifted), (Some(0), Some(0), vec![false; 4]), "{features:?}");

        // Read from the store, as a restart and the certificate do.
        let workspace = &server.watch.workspace;
        let history = history::read(workspace, 1).await.unwrap().unwrap();
        let certificate = super::super::Certificate::of(&history, &workspace.config.live);
        assert_eq!((certificate.quarters, certificate.alarms.len()), (1, 0), "{:?}", certificate.alarms);
    }

    #[tokio::test]
    async fn a_version_that_is_no_longer_served_is_looked_at_for_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (Arc::new(serving("1")), Arc::new(serving("2")));
        let served = Served::new(Some(old.clone()).into());
        let now = this_minute() - 3;
        let mut server = Server::start(dir.path(), &served, now).await;
        server.ask(&old, 0..220);
        server.close(now).await;
        served.store(Some(new.clone()));
        server.watch.follow_served(now + 1).await.unwrap();
        server.ask(&new, 0..240);
        server.close(now + 1).await;
        assert_eq!(server.entities(), [one("2", 240), one("1", 240)]);
        let status = server.live.status();
        assert_eq!(status.versions.iter().map(|of| of.is_served).collect::<Vec<_>>(), [true, false]);
        // It does not see what the other one says.
        let outputs = &status.versions[1].look.as_ref().unwrap().windows[0].features[2..];
        assert_eq!(outputs[0].live.iter().sum::<u64>(), 0, "{outputs:?}");

        server.watch.follow_served(now + 1 + AFTERWARDS).await.unwrap();
        assert_eq!(server.entities(), [one("2", 240)]);
        assert_eq!(server.live.0.open.load().len(), 1);
        server.ask(&old, 300..400);
        server.close(now + 2).await;
        assert_eq!(server.entities(), [one("2", 340)], "the features are the same");
    }

    #[tokio::test]
    async fn without_a_model_or_a_reference_the_reason_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let served = Served::default();
        let mut server = Server::start(dir.path(), &served, this_minute()).await;
        assert_eq!(server.live.status().idle, Idle::NoModel);
        served.store(Some(Arc::new(serving("3"))));
        server.watch.follow_served(this_minute()).await.unwrap();
        let why = server.live.status().idle.why().unwrap();
        assert!(why.contains("churn has no version 3"), "{why}");
    }
}
