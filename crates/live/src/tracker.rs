//! Minutes as they close, the windows made of them, and a verdict at every minute.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::alarm::Alarms;
use crate::judge::{Judge, Judged, Limits};
use crate::minute::{Counters, MINUTE_ENTITIES, Minute};
use crate::reference::{Mismatch, Reference};
use crate::sample::Sample;
use crate::traffic::{self, ErrorsLook};
use crate::window::{BLOCK_ENTITIES, BLOCK_MINUTES, Window, block_of};

/// Minutes that are kept one by one: those of the longest window that is exact to the minute, and an open block.
const MINUTES_KEPT: i64 = 60 + BLOCK_MINUTES;
const BLOCKS_A_DAY: i64 = 24 * 60 / BLOCK_MINUTES;
/// Days of the same clock time that the shorter windows are compared with.
const DAYS: i64 = 7;
/// Blocks that are kept: seven days, and the six hours before their first moment.
const BLOCKS_KEPT: i64 = (DAYS + 1) * BLOCKS_A_DAY;
/// Entities that a block keeps from its second day on.
const OLD_BLOCK_ENTITIES: usize = 1024;
/// Entities that a window keeps: with as many every effect over the gates is significant.
const WINDOW_ENTITIES: usize = 8192;

/// What a window is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The training snapshot: the 24 hours always, the others while the same clock time had too few entities.
    Training,
    /// The training snapshot, because the reference has not been served for seven days.
    WarmingUp,
    /// The same clock time of the last seven days.
    SameClockTime,
}

/// All windows at one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The last minute of the windows, since 1970.
    pub at: i64,
    /// The first minute with traffic of this reference, since 1970; none before there was any.
    pub first: Option<i64>,
    /// The windows, in the order of [`Window::ALL`].
    pub windows: Vec<WindowLook>,
}

impl Look {
    /// One of the windows.
    #[must_use]
    pub fn window(&self, window: Window) -> &WindowLook {
        &self.windows[window as usize]
    }
}

/// A window at one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowLook {
    /// Which.
    pub window: Window,
    /// Distinct entities in it. Of more than it keeps, those with the smallest hashes.
    pub entities: u64,
    /// Entities from which on it is judged.
    pub needed: u64,
    /// Requests in it, of all kinds.
    pub requests: u64,
    /// What it is compared with.
    pub basis: Basis,
    /// Features, then outputs, as in the reference. Without enough entities they have counts and no statistics. Of an
    /// output those entities count that the version answered itself, in both the window and what it is compared with;
    /// where too few of the latter are known, the output is compared with the training snapshot.
    pub features: Vec<FeatureLook>,
    /// The mix of errors, from the eighth day on and with enough requests.
    pub errors: Vec<ErrorsLook>,
}

impl WindowLook {
    /// Whether it has enough entities to be judged.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.entities >= self.needed
    }

    /// Share of the features that have drifted; none where the window is not judged or there are none.
    #[must_use]
    pub fn share(&self, features: usize) -> Option<f64> {
        let features = self.features.get(..features)?;
        let drifted = features.iter().filter(|feature| feature.is_detected()).count();
        (self.is_enough() && !features.is_empty()).then(|| drifted as f64 / features.len() as f64)
    }
}

/// A feature in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureLook {
    /// Entities by class, missing last.
    pub live: Vec<u64>,
    /// What it is compared with, by class.
    pub basis: Vec<u64>,
    /// Its statistics.
    pub statistics: Vec<StatisticLook>,
}

impl FeatureLook {
    /// Whether any of its statistics has drifted.
    #[must_use]
    pub fn is_detected(&self) -> bool {
        self.statistics.iter().any(|statistic| statistic.detected_since.is_some())
    }

    /// The minute since 1970 from which on it has drifted.
    #[must_use]
    pub fn detected_since(&self) -> Option<i64> {
        self.statistics.iter().filter_map(|statistic| statistic.detected_since).min()
    }
}

/// A statistic in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatisticLook {
    /// Its value and thresholds.
    pub judged: Judged,
    /// The minute since 1970 from which on it has drifted.
    pub detected_since: Option<i64>,
}

/// The traffic of one reference. Memory is bounded by the reference, whatever the traffic and the clock do.
#[derive(Debug, Clone)]
pub struct Tracker {
    reference: Reference,
    shape: Vec<usize>,
    judge: Judge,
    first: Option<i64>,
    minutes: BTreeMap<i64, Minute>,
    blocks: BTreeMap<i64, Minute>,
    alarms: Alarms,
    cache: Option<Cache>,
}

/// What changes with the block only.
#[derive(Debug, Clone)]
struct Cache {
    block: i64,
    /// Of each window: what its full blocks come to.
    full: [Part; 4],
    /// Of each window: the same clock time of the last days.
    before: [Part; 4],
}

/// A sample and the counters of all requests.
#[derive(Debug, Clone)]
struct Part {
    sample: Sample,
    counters: Counters,
}

impl Tracker {
    /// A tracker without traffic.
    #[must_use]
    pub fn new(reference: Reference, limits: &Limits) -> Self {
        Self {
            shape: reference.shape(),
            judge: Judge::new(&reference, limits),
            reference,
            first: None,
            minutes: BTreeMap::new(),
            blocks: BTreeMap::new(),
            alarms: Alarms::default(),
            cache: None,
        }
    }

    /// What traffic is compared with.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The thresholds.
    #[must_use]
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// The alarms, to be stored.
    #[must_use]
    pub fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// Goes on with alarms that were stored, and with the first minute that there ever was.
    pub fn resume(&mut self, alarms: Alarms, first: Option<i64>) {
        self.alarms = alarms;
        self.first = first.or(self.first);
    }

    /// Adds a closed minute, or several in one. Minutes that were there already merge with those.
    ///
    /// # Errors
    /// A minute of another reference.
    pub fn add(&mut self, minute: Minute) -> Result<(), Mismatch> {
        self.reference.check_minute(&minute)?;
        self.first = Some(self.first.map_or(minute.start, |first| first.min(minute.start)));
        let block = block_of(minute.start);
        merge_into(&mut self.blocks, block, &minute, &self.shape, BLOCK_ENTITIES);
        if minute.minutes == 1 {
            merge_into(&mut self.minutes, minute.start, &minute, &self.shape, MINUTE_ENTITIES);
        }
        if self.cache.as_ref().is_some_and(|cache| block != cache.block) {
            self.cache = None;
        }
        Ok(())
    }

    /// The quarters of an hour that are held, oldest first.
    pub fn blocks(&self) -> impl Iterator<Item = &Minute> {
        self.blocks.values()
    }

    /// Drops an entity from everything; how many minutes and blocks had it.
    pub fn forget(&mut self, hash: u64) -> usize {
        self.cache = None;
        let all = self.minutes.values_mut().chain(self.blocks.values_mut());
        all.filter_map(|minute| minute.sample.forget(hash).then_some(())).count()
    }

    /// Judges all windows that end with minute `now`, and drops what no later look needs. A clock that jumps ahead
    /// leaves windows without entities; one that is set back sees no minute after its present.
    pub fn look(&mut self, now: i64) -> Look {
        self.drop_old(now);
        let block = block_of(now);
        if self.cache.as_ref().is_none_or(|cache| cache.block != block) {
            self.cache = Some(self.fill_cache(block));
        }
        let windows = Window::ALL.map(|window| {
            let live = self.live(window, now);
            let (basis, before) = self.basis(window, now);
            self.look_at(window, now, &live, basis, before.as_ref())
        });
        Look { at: now, first: self.first, windows: windows.into() }
    }

    /// As [`Tracker::look`] at minute `now`, with the whole quarter of an hour that it is in and no single minutes: for
    /// traffic that is kept in quarters.
    pub fn replay(&mut self, now: i64) -> Look {
        let block = block_of(now);
        self.drop_old(now);
        self.cache = Some(self.fill_cache(block));
        let windows = Window::ALL.map(|window| {
            let blocks = i64::from(window.minutes()) / BLOCK_MINUTES;
            let blocks = self.blocks.range(block.saturating_sub(blocks - 1)..=block);
            let live = self.part(blocks.map(|(_, minute)| minute));
            let (basis, before) = self.basis(window, now);
            self.look_at(window, now, &live, basis, before.as_ref())
        });
        Look { at: now, first: self.first, windows: windows.into() }
    }

    fn drop_old(&mut self, now: i64) {
        let block = block_of(now);
        self.minutes = self.minutes.split_off(&now.saturating_sub(MINUTES_KEPT));
        self.blocks = self.blocks.split_off(&block.saturating_sub(BLOCKS_KEPT));
        for (_, old) in self.blocks.range_mut(..block.saturating_sub(BLOCKS_A_DAY)) {
            if old.sample.len() > OLD_BLOCK_ENTITIES {
                old.sample = Sample::union(self.shape.len(), [&old.sample], OLD_BLOCK_ENTITIES);
            }
        }
        // What a clock that ran ahead has left would be merged with the minutes of the time when it is reached.
        self.minutes.retain(|start, _| *start <= now.saturating_add(MINUTES_KEPT));
        self.blocks.retain(|start, _| *start <= block.saturating_add(BLOCKS_A_DAY));
    }

    fn fill_cache(&self, block: i64) -> Cache {
        let full = Window::ALL.map(|window| {
            let blocks = i64::from(window.minutes()) / BLOCK_MINUTES;
            // The open block is one of them.
            self.part(self.blocks.range(block.saturating_sub(blocks - 1)..block).map(|(_, minute)| minute))
        });
        let before = Window::ALL.map(|window| {
            let blocks = i64::from(window.minutes()) / BLOCK_MINUTES;
            let days = if window == Window::Day { 0 } else { DAYS };
            let of_day = |day: i64| {
                let end = block.saturating_sub(day * BLOCKS_A_DAY);
                self.blocks.range(end.saturating_sub(blocks)..=end).map(|(_, minute)| minute)
            };
            self.part((1..=days).flat_map(of_day))
        });
        Cache { block, full, before }
    }

    fn part<'a>(&self, minutes: impl Iterator<Item = &'a Minute> + Clone) -> Part {
        Part {
            sample: Sample::union(
                self.shape.len(),
                minutes.clone().map(|minute| &minute.sample),
                WINDOW_ENTITIES,
            ),
            counters: Counters::sum(&self.shape, minutes.map(|minute| &minute.counters)),
        }
    }

    /// The window's entities: of single minutes where it is short, else of full blocks and the minutes since.
    fn live(&self, window: Window, now: i64) -> Part {
        let is_exact = matches!(window, Window::QuarterHour | Window::Hour);
        let start = now.saturating_sub(i64::from(window.minutes()) - 1);
        let open = block_of(now).saturating_mul(BLOCK_MINUTES);
        let first = if is_exact { start } else { open };
        let minutes = self.minutes.range(first.min(now)..=now).map(|(_, minute)| minute);
        let full = self.cache.as_ref().filter(|_| !is_exact).map(|cache| &cache.full[window as usize]);
        let samples = minutes.clone().map(|minute| &minute.sample).chain(full.map(|part| &part.sample));
        let counters = minutes.map(|minute| &minute.counters).chain(full.map(|part| &part.counters));
        Part {
            sample: Sample::union(self.shape.len(), samples, WINDOW_ENTITIES),
            counters: Counters::sum(&self.shape, counters),
        }
    }

    /// What a window is compared with: from the eighth day on the same clock time, where it had enough entities.
    fn basis(&self, window: Window, now: i64) -> (Basis, Option<Part>) {
        if window == Window::Day {
            return (Basis::Training, None);
        }
        let first = self.first.unwrap_or(now);
        if now.saturating_sub(first) < DAYS * 24 * 60 {
            return (Basis::WarmingUp, None);
        }
        let before = self.cache.as_ref().map(|cache| cache.before[window as usize].clone());
        match before.filter(|part| part.sample.len() as u64 >= self.judge.min_entities) {
            Some(part) => (Basis::SameClockTime, Some(part)),
            None => (Basis::Training, None),
        }
    }

    fn look_at(
        &mut self,
        window: Window,
        now: i64,
        live: &Part,
        basis: Basis,
        before: Option<&Part>,
    ) -> WindowLook {
        let (entities, needed) = (live.sample.len() as u64, self.judge.min_entities);
        let counts = live.sample.counts(&self.shape);
        let of_before = before.map(|part| part.sample.counts(&self.shape));
        let mut features = Vec::with_capacity(counts.len());
        for (at, live) in counts.into_iter().enumerate() {
            let column = &self.reference.columns()[at];
            // Of an output fewer rows may be known than the window has: a canary's say nothing of production.
            let is_enough = |counts: &&Vec<u64>| counts.iter().sum::<u64>() >= needed;
            let of_before = of_before.as_ref().map(|counts| &counts[at]).filter(is_enough);
            let basis = of_before.unwrap_or(&column.counts).clone();
            let mut statistics = Vec::new();
            if is_enough(&&live) {
                for judged in self.judge.judge(window, at, column.is_numerical(), &basis, &live) {
                    let name = format!("{} {}", judged.measured.kind.name(), column.name);
                    let alarm = self.alarms.update(window, &name, now, &judged);
                    statistics.push(StatisticLook { judged, detected_since: alarm.map(|alarm| alarm.since) });
                }
            }
            features.push(FeatureLook { live, basis, statistics });
        }
        let requests = live.counters.requests();
        let errors =
            before.filter(|_| requests >= needed).map(|before| self.errors(window, now, live, before));
        WindowLook { window, entities, needed, requests, basis, features, errors: errors.unwrap_or_default() }
    }

    fn errors(&mut self, window: Window, now: i64, live: &Part, before: &Part) -> Vec<ErrorsLook> {
        let mut errors = traffic::errors(&live.counters, &before.counters, self.judge.threshold(window));
        for error in &mut errors {
            let name = format!("errors {}", error.kind);
            let alarm = self.alarms.update(window, &name, now, &error.judged);
            error.detected_since = alarm.map(|alarm| alarm.since);
        }
        errors
    }
}

fn merge_into(into: &mut BTreeMap<i64, Minute>, place: i64, minute: &Minute, shape: &[usize], most: usize) {
    let merged = match into.get(&place) {
        Some(there) => Minute::merged(&[there, minute], shape, most),
        None => Minute::merged(&[minute], shape, most),
    };
    if let Some(merged) = merged {
        into.insert(place, merged);
    }
}
