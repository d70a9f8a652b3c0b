//! The newest samples, in memory: series by reference and by labels, and the index over their labels.

mod chosen;
mod delete;
mod flush;
mod order;
mod series;
mod values;

pub(crate) use flush::Copy;
pub(crate) use series::{Bounds, Cut, MemSeries, Place, State};

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::labels::order::sorted;
use crate::labels::{Labels, LabelsRef};
use crate::matcher::Matcher;
use crate::postings::{candidates, meets};
use crate::series::Series;
use crate::texts::Texts;
use chosen::{Chosen, in_parallel};
use order::Order;
use values::Values;

/// All series in memory.
#[derive(Debug, Default)]
pub(crate) struct Head {
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    by_id: HashMap<u64, Arc<MemSeries>, DefaultHashBuilder>,
    by_labels: HashTable<Arc<MemSeries>>,
    hasher: DefaultHashBuilder,
    names: BTreeMap<Box<str>, Values>,
    order: Order,
    next_id: u64,
}

impl Head {
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<MemSeries>> {
        self.read().by_id.get(&id).cloned()
    }

    /// The series of these labels, made if there is none; `touch` sees it while it cannot be collected.
    pub(crate) fn get_or_create<R>(
        &self,
        labels: LabelsRef<'_>,
        touch: impl FnOnce(&Arc<MemSeries>) -> R,
    ) -> R {
        {
            let table = self.read();
            if let Some(series) = table.find(labels) {
                return touch(series);
            }
        }
        let mut table = self.write();
        let series = match table.find(labels) {
            Some(series) => Arc::clone(series),
            None => {
                let id = table.next_id + 1;
                table.insert(id, labels.to_labels())
            }
        };
        touch(&series)
    }

    /// The series of this reference, seen by `touch` while it cannot be collected.
    pub(crate) fn with<R>(&self, id: u64, touch: impl FnOnce(&Arc<MemSeries>) -> R) -> Option<R> {
        self.read().by_id.get(&id).map(touch)
    }

    /// The labels of the series that meet all matchers and have samples from `min` to `max`, some of them not before what
    /// `kept` says of the series; sorted.
    pub(crate) fn labels_of(
        &self,
        matchers: &[Matcher],
        (min, max): (i64, i64),
        kept: impl Fn(&Labels) -> i64 + Sync,
    ) -> Vec<Labels> {
        self.read().each_of(matchers, |series| {
            let kept = kept(&series.labels);
            let state = series.lock();
            let lives = state.overlaps(min, max) && (kept <= min || state.overlaps(kept, max));
            lives.then(|| series.labels.clone())
        })
    }

    /// Tells whether any series has a sample from `min` to `max`: mostly the first has.
    pub(crate) fn overlaps(&self, min: i64, max: i64) -> bool {
        let overlaps = |(oldest, newest): (i64, i64)| oldest <= max && newest >= min;
        self.read().by_labels.iter().any(|series| series.lock().range().is_some_and(overlaps))
    }

    /// The series that meet all matchers, with or without samples, in no order.
    pub(crate) fn matching_all(&self, matchers: &[Matcher]) -> Vec<Arc<MemSeries>> {
        let table = self.read();
        let (ids, filters) = candidates(matchers, || table.all(), |matcher| table.postings(matcher));
        let series = ids.iter().filter_map(|id| table.by_id.get(id));
        series.filter(|series| meets(&series.labels, &filters)).cloned().collect()
    }

    /// The series with samples from `min` to `max` that meet all matchers, with their chunks, sorted by labels.
    pub(crate) fn select(&self, matchers: &[Matcher], min: i64, max: i64) -> Vec<Series> {
        self.read().each_of(matchers, |series| {
            let parts = series.lock().selected(min, max)?;
            let labels = series.labels.clone();
            Some(Series { labels, parts, min_ms: min, max_ms: max, older: None, kept_ms: i64::MIN })
        })
    }

    /// All series, in no order.
    pub(crate) fn series(&self) -> Vec<Arc<MemSeries>> {
        self.read().by_labels.iter().cloned().collect()
    }

    /// The series of this number as a log has it; the number of a series that has another one already becomes a second
    /// name for it.
    pub(crate) fn restore(&self, id: u64, labels: Labels) -> Arc<MemSeries> {
        let mut table = self.write();
        if let Some(series) = table.by_id.get(&id) {
            return Arc::clone(series);
        }
        match table.find((&labels).into()).cloned() {
            Some(series) => {
                table.next_id = table.next_id.max(id);
                table.by_id.insert(id, Arc::clone(&series));
                series
            }
            None => table.insert(id, labels),
        }
    }

    /// Numbers up to this one were given before.
    pub(crate) fn reserve_ids(&self, next_id: u64) {
        let mut table = self.write();
        table.next_id = table.next_id.max(next_id);
    }

    /// The last number given.
    pub(crate) fn last_id(&self) -> u64 {
        self.read().next_id
    }

    /// Forgets the series without samples whose newest one is before `boundary` and that no batch waits for.
    /// Nothing may be committed meanwhile.
    pub(crate) fn collect(&self, boundary: i64) -> usize {
        let mut table = self.write();
        let empty = |series: &MemSeries| series.lock().is_garbage(boundary);
        let gone: std::collections::HashSet<u64> =
            table.by_id.iter().filter(|(_, series)| empty(series)).map(|(id, _)| *id).collect();
        if gone.is_empty() {
            return 0;
        }
        let mut pairs = std::collections::HashSet::new();
        let removed: Vec<_> = gone.iter().filter_map(|id| table.by_id.remove(id)).collect();
        for series in &removed {
            pairs.extend(series.labels.iter());
            let hash = table.hasher.hash_one(&series.labels);
            if let Ok(entry) = table.by_labels.find_entry(hash, |other| Arc::ptr_eq(other, series)) {
                entry.remove();
            }
        }
        table.order.retain(|series| !gone.contains(&series.id));
        for (name, value) in pairs {
            let Some(values) = table.names.get_mut(name) else { continue };
            values.remove(value, |id| !gone.contains(&id));
            if values.is_empty() {
                table.names.remove(name);
            }
        }
        gone.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.read().by_labels.len()
    }

    pub(crate) fn label_names(&self) -> Texts {
        self.read().names.keys().map(|name| &**name).collect()
    }

    pub(crate) fn label_values(&self, name: &str) -> Texts {
        self.read().names.get(name).map_or_else(Texts::default, |values| values.texts().clone())
    }

    /// Names with the number of their values, and each pair with the number of its series.
    pub(crate) fn each_label(
        &self,
        mut names: impl FnMut(&str, usize),
        mut pairs: impl FnMut(&str, &str, usize),
    ) {
        for (name, values) in &self.read().names {
            names(name, values.len());
            values.counts().for_each(|(value, series)| pairs(name, value, series));
        }
    }
}

impl Table {
    fn find(&self, labels: LabelsRef<'_>) -> Option<&Arc<MemSeries>> {
        self.by_labels.find(self.hasher.hash_one(labels), |series| series.labels == labels)
    }

    fn insert(&mut self, id: u64, labels: Labels) -> Arc<MemSeries> {
        self.next_id = self.next_id.max(id);
        for (name, value) in &labels {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), Values::default());
            }
            self.names.get_mut(name).expect("inserted above").insert(value, id);
        }
        let series = Arc::new(MemSeries::new(id, labels));
        let hasher = &self.hasher;
        let hash = hasher.hash_one(&series.labels);
        self.by_labels.insert_unique(hash, Arc::clone(&series), |other| hasher.hash_one(&other.labels));
        self.by_id.insert(id, Arc::clone(&series));
        self.order.add(Arc::clone(&series));
        series
    }

    fn all(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.by_labels.iter().map(|series| series.id).collect();
        ids.sort_unstable();
        ids
    }

    fn postings(&self, matcher: &Matcher) -> Cow<'_, [u64]> {
        self.names.get(matcher.name()).map_or(Cow::Borrowed(&[]), |values| values.postings(matcher))
    }

    /// What `make` makes of the series that meet all matchers, sorted by labels; many are looked at on all cores.
    fn each_of<T: Send>(
        &self,
        matchers: &[Matcher],
        make: impl Fn(&MemSeries) -> Option<T> + Sync,
    ) -> Vec<T> {
        let (ids, filters) = candidates(matchers, || self.all(), |matcher| self.postings(matcher));
        let make =
            |series: &Arc<MemSeries>| if meets(&series.labels, &filters) { make(series) } else { None };
        if ids.len() * ORDERED_SHARE < self.by_labels.len() || ids.len() < FEW {
            let few = ids.iter().filter_map(|id| self.by_id.get(id)).cloned().collect();
            return sorted(few, |series: &Arc<MemSeries>| &series.labels).iter().filter_map(make).collect();
        }
        self.order.with(|series| {
            let chosen = Chosen::of(&ids, series.len());
            in_parallel(series, |series| if chosen.has(series.id) { make(series) } else { None })
        })
    }
}

/// Where fewer than this share of all series are meant, they are put into their order by themselves;
const ORDERED_SHARE: usize = 8;
/// and so are fewer than this.
const FEW: usize = 64;
