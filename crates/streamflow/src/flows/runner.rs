//! What runs flows by itself while a server is up: schedules, triggers, runs that wait for their turn, and those whose
//! process is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use jiff::Timestamp;
use streamflow_schedule::plan;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::Parameters;
use super::catalog::{Known, all, known};
use super::leading::Leading;
use super::lease::StopSign;
use super::start::{Start, cancel, execute, record_answer, schedule};
use super::triggers::Triggers;
use crate::config::Overlap;
use crate::keep::Busy;
use crate::keep::forget::resume;
use crate::keep::prune::{Fate, prune};
use crate::store::approvals::Answer;
use crate::store::leases::Claim;
use crate::store::runs::Run;
use crate::store::schedules::SkippedTime;
use crate::store::transitions::Step;
use crate::store::{State, now};
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// How often the database is looked at for runs that another process has asked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Runs that this process works on at once.
const ACTIVE_MAX: usize = 4;
/// How often a run whose process was killed goes on by itself.
const ATTEMPTS_AFTER_CRASHES: i64 = 3;
/// How often what is old is deleted.
const CLEAN_INTERVAL: Duration = Duration::from_secs(3600);
/// Time after which a run that waits counts as late.
const LATE_AFTER: Duration = Duration::from_secs(15);

/// Wakes a runner at once. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Runs flows until the server stops.
pub struct Runner {
    /// Writes as the leader, in the epoch in which this server leads.
    workspace: Workspace,
    /// The same without an epoch.
    unbound: Workspace,
    wake: Wake,
    triggers: Triggers,
    active: JoinSet<i64>,
    /// Runs with the claims by which this process works on them.
    working_on: Vec<(i64, i64)>,
    /// When what is old was last deleted.
    cleaned: Option<Instant>,
    /// Why flows were not started, each told once.
    told: BTreeMap<String, String>,
    /// The epoch that the workspace writes in.
    leads_in: Option<i64>,
}

impl Runner {
    /// A runner for the flows of the workspace. `metrics` tells which alerts fire.
    pub fn new(workspace: Workspace, wake: Wake, metrics: Option<streamflow_prometheus::Handle>) -> Self {
        let triggers = Triggers::new(workspace.clone(), metrics);
        Self {
            unbound: workspace.clone(),
            workspace,
            wake,
            triggers,
            active: JoinSet::new(),
            working_on: Vec::new(),
            cleaned: None,
            told: BTreeMap::new(),
            leads_in: None,
        }
    }

    /// Looks at what is due until `shutdown`, while this server leads; runs that are active then go on when a server is up
    /// again.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let leading = Leading::begin(self.unbound.store.clone());
        let mut epoch = leading.epoch();
        loop {
            let now_leading = *epoch.borrow_and_update();
            let next = match now_leading {
                Some(number) => self.lead(number).await,
                None => None,
            };
            let pause = next.and_then(|next| next.duration_since(Timestamp::now()).try_into().ok());
            let pause = pause.unwrap_or(LOOK_INTERVAL).min(LOOK_INTERVAL);
            let wake = self.wake.clone();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = wake.0.notified() => {}
                Some(ended) = self.active.join_next() => self.ended(ended.ok()),
                _ = epoch.changed() => {}
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
        }
        self.stop().await;
        leading.end().await;
    }

    /// Looks at what is due as the leader of this epoch; when something is due next.
    async fn lead(&mut self, epoch: i64) -> Option<Timestamp> {
        if self.leads_in != Some(epoch) {
            self.leads_in = Some(epoch);
            self.workspace = self.unbound.writing_by(self.unbound.store.of_leader(epoch));
            self.triggers.write_by(self.workspace.clone());
        }
        match self.look().await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!("flows wait until that is mended: {}", one_line(&error));
                None
            }
        }
    }

    fn ended(&mut self, run: Option<i64>) {
        match run {
            Some(run) => self.working_on.retain(|(other, _)| *other != run),
            // Its number went with its panic; what is left of it in the database is found there.
            None => self.working_on.truncate(self.active.len()),
        }
    }

    /// Leaves the active runs where they are, to go on from there.
    async fn stop(mut self) {
        self.active.shutdown().await;
        for (run, claim) in self.working_on {
            let message = "the server stopped; the run goes on when it is up again";
            let store = self.unbound.store.of_claim(run, claim);
            if let Err(error) = store.schedule_attempt(run, message, "", &now()).await {
                tracing::warn!(run, "a run was not put back: {error}");
            }
        }
    }

    /// Does what is due, and tells when something is due next.
    async fn look(&mut self) -> anyhow::Result<Option<Timestamp>> {
        while let Some(ended) = self.active.try_join_next() {
            self.ended(ended.ok());
        }
        self.workspace.store.end_crashed_runs().await?;
        self.resume_crashed().await?;
        self.end_expired().await?;
        let next = self.schedules().await?;
        self.triggers.look().await?;
        self.start_due().await?;
        self.clean().await?;
        Ok(next)
    }

    /// Deletes what is old, now and then.
    async fn clean(&mut self) -> anyhow::Result<()> {
        if self.cleaned.is_some_and(|cleaned| cleaned.elapsed() < CLEAN_INTERVAL) {
            return Ok(());
        }
        self.cleaned = Some(Instant::now());
        match keep_clean(&self.workspace, "the clean-up of the server").await {
            // A backup is being made, say: the next time will do.
            Err(error) if error.is::<Busy>() => Ok(()),
            Err(error) => {
                tracing::warn!("not everything that is old was deleted: {}", one_line(&error));
                Ok(())
            }
            Ok(gone) => {
                for fate in gone {
                    tracing::info!("deleted: {} {}: {}", fate.kind.as_str(), fate.name, fate.why);
                }
                Ok(())
            }
        }
    }

    /// Goes on with runs that nobody started by hand and whose process was killed.
    async fn resume_crashed(&self) -> anyhow::Result<()> {
        let store = &self.workspace.store;
        for run in store.crashed_runs().await? {
            let by_hand = run.cause == "command";
            if !by_hand && run.attempt <= ATTEMPTS_AFTER_CRASHES {
                store.schedule_attempt(run.id, "goes on after its process was killed", "", &now()).await?;
            }
        }
        Ok(())
    }

    /// Takes no answer in time for a no.
    async fn end_expired(&self) -> anyhow::Result<()> {
        let store = &self.workspace.store;
        for run in store.expired_approvals().await? {
            let answer = Answer { is_approved: false, by: "timeout", note: "nobody answered in time" };
            record_answer(store, run, answer).await?;
        }
        Ok(())
    }

    /// Records the runs whose time has come; the next time of any flow.
    async fn schedules(&mut self) -> anyhow::Result<Option<Timestamp>> {
        let config = self.workspace.config.clone();
        let mut next = None;
        for flow in all(&config) {
            match self.due(flow).await {
                Ok(due) => next = [next, due].into_iter().flatten().min(),
                Err(error) => self.tell_once(flow.name, one_line(&error)),
            }
        }
        Ok(next)
    }

    /// Says why a flow is not started, unless that was said already.
    fn tell_once(&mut self, flow: &str, why: String) {
        if self.told.get(flow) != Some(&why) {
            tracing::error!("flow {flow} is not started: {why}");
            self.told.insert(flow.to_owned(), why);
        }
    }

    async fn due(&mut self, flow: Known<'_>) -> anyhow::Result<Option<Timestamp>> {
        let (Some(when), Some(config)) = (flow.schedule()?, flow.config) else { return Ok(None) };
        let policy = config.schedule.as_ref().map(|text| text.policy()).transpose()?.unwrap_or_default();
        let store = self.workspace.store.clone();
        let handled = store.handled(flow.name).await?;
        let current = Timestamp::now();
        let last = handled.to.as_deref().and_then(|to| to.parse().ok());
        if handled.paused {
            return Ok(None);
        }
        if last.is_none() {
            // A schedule that is new has missed nothing.
            store.set_handled(flow.name, &current.to_string(), &[]).await?;
        }
        let due = plan(&when, &policy, last.or(Some(current)), current);
        let skip = |time: &Timestamp, reason: String| SkippedTime {
            flow: flow.name.to_owned(),
            due_at: time.to_string(),
            reason,
        };
        let mut skipped: Vec<SkippedTime> =
            due.skipped.iter().map(|(time, reason)| skip(time, reason.to_string())).collect();
        for time in &due.run {
            // A time at which the flow cannot be started is over all the same.
            match flow.parameters_at(*time) {
                Ok(parameters) => self.start_at(flow, &parameters, *time).await?,
                Err(error) => {
                    let why = one_line(&error);
                    skipped.push(skip(time, why.clone()));
                    self.tell_once(flow.name, why);
                }
            }
        }
        if let Some(handled) = due.last_handled() {
            store.set_handled(flow.name, &handled.to_string(), &skipped).await?;
        }
        Ok(due.next)
    }

    async fn start_at(
        &self,
        flow: Known<'_>,
        parameters: &Parameters,
        time: Timestamp,
    ) -> anyhow::Result<()> {
        let (event, due_at) = (format!("schedule {} {time}", flow.name), format!("{time:.3}"));
        let cause = format!("schedule {time}");
        let start = Start { due_at: Some(&due_at), event: Some(&event), ..Start::now(parameters, &cause) };
        schedule(&self.workspace, flow, &start).await.map(drop)
    }

    /// Starts the runs whose time has come, as far as their flows and this process allow.
    async fn start_due(&mut self) -> anyhow::Result<()> {
        let waiting = self.workspace.store.scheduled_runs().await?;
        let mut held = BTreeSet::new();
        for run in waiting {
            if is_ahead(&run) || held.contains(&run.flow) {
                continue;
            }
            if self.active.len() >= ACTIVE_MAX {
                self.tell_late(&run, "this server works on as many runs as it may").await?;
                continue;
            }
            match self.workspace.store.claim_run(run.id, &run.flow, Some(1)).await? {
                Claim::Taken { claim } => self.start(run, claim),
                Claim::Gone => {}
                Claim::Busy { active } => {
                    self.overlapping(&run, active).await?;
                    held.insert(run.flow);
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, run: Run, claim: i64) {
        // It is worked on to its end, also when another server leads by then.
        let workspace = self.unbound.writing_by(self.unbound.store.of_claim(run.id, claim));
        self.working_on.push((run.id, claim));
        self.active.spawn(async move {
            let id = run.id;
            if let Err(error) = execute(&workspace, &run, ProgressBar::hidden(), StopSign::default()).await {
                tracing::error!(run = id, "a run could not be worked on: {}", one_line(&error));
                let message = one_line(&error);
                let end = Step::new(State::Failed, "Failed", &message);
                if let Err(error) = workspace.store.move_run(id, &end).await {
                    tracing::error!(run = id, "nor could that be recorded: {error}");
                }
            }
            id
        });
    }

    /// What becomes of a run whose flow is busy.
    async fn overlapping(&self, run: &Run, active: i64) -> anyhow::Result<()> {
        let store = &self.workspace.store;
        let overlap = known(&self.workspace.config, &run.flow)
            .ok()
            .and_then(|flow| flow.config)
            .map(|config| config.overlap)
            .unwrap_or_default();
        let reason = format!("run {active} of {} is active, and one may be at a time", run.flow);
        match overlap {
            Overlap::Skip => {
                store.move_waiting(run.id, &Step::new(State::Cancelled, "Skipped", &reason)).await?;
            }
            Overlap::CancelRunning => {
                cancel(store, active, &format!("run {}", run.id)).await?;
            }
            Overlap::Queue if run.state_name != "AwaitingConcurrencySlot" => {
                store
                    .move_waiting(run.id, &Step::new(State::Scheduled, "AwaitingConcurrencySlot", &reason))
                    .await?;
            }
            Overlap::Queue => {}
        }
        Ok(())
    }

    async fn tell_late(&self, run: &Run, reason: &str) -> anyhow::Result<()> {
        let due: Option<Timestamp> = run.due_at.as_ref().and_then(|due| due.parse().ok());
        let is_late = due.is_some_and(|due| due + LATE_AFTER < Timestamp::now());
        if is_late && run.state_name == "Scheduled" {
            let late = Step::new(State::Scheduled, "Late", reason);
            self.workspace.store.move_waiting(run.id, &late).await.context("cannot record a late run")?;
        }
        Ok(())
    }
}

/// Finishes what is to be forgotten, then deletes what is old.
async fn keep_clean(workspace: &Workspace, actor: &str) -> anyhow::Result<Vec<Fate>> {
    let forgotten = resume(workspace).await?;
    if forgotten > 0 {
        tracing::info!(forgotten, "entities that were to be forgotten are");
    }
    prune(workspace, actor).await
}

/// True for a run whose time has not come.
fn is_ahead(run: &Run) -> bool {
    run.due_at
        .as_ref()
        .and_then(|due| due.parse::<Timestamp>().ok())
        .is_some_and(|due| due > Timestamp::now())
}

/// Records a run of a flow that somebody asked for, and gives its number.
pub async fn request(
    workspace: &Workspace,
    flow: Known<'_>,
    parameters: &Parameters,
    cause: &str,
) -> anyhow::Result<i64> {
    let start = Start::now(parameters, cause);
    schedule(workspace, flow, &start).await?.context("a run without an event is always recorded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn a_time_at_which_a_flow_cannot_start_is_skipped_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::example().unwrap();
        config.flows = toml::from_str("[monthly]\nschedule = { every = \"1h\" }").unwrap();
        let (data, reports) = (dir.path().join("data"), dir.path().join("reports"));
        let workspace = Workspace::open(Arc::new(config), data, reports).await.unwrap();
        let mut runner = Runner::new(workspace.clone(), Wake::default(), None);
        let before = Timestamp::now() - Duration::from_secs(2 * 3600);
        workspace.store.set_handled("monthly", &before.to_string(), &[]).await.unwrap();
        for _ in 0..2 {
            runner.schedules().await.unwrap();
        }
        let skipped = workspace.store.skipped_times("monthly", 10).await.unwrap();
        let refused = skipped.iter().filter(|time| time.reason.contains("flow monthly needs as_of")).count();
        assert_eq!(refused, 1, "{skipped:?}");
        assert_eq!(runner.told.len(), 1);
    }
}
