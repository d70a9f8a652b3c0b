//! The newest samples, in memory: series by reference and by labels, and the index over their labels.

mod delete;
mod flush;
mod series;

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
use crate::postings::{candidates, meets, union};
use crate::series::Series;

/// Value → numbers of the series that have it, ascending.
type Values = BTreeMap<Box<str>, Vec<u64>>;

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

    /// Shows `visit` the labels of the series that meet all matchers and have samples from `min` to `max`, some of them
    /// not before what `kept` says of the series; in no order.
    pub(crate) fn visit(
        &self,
        matchers: &[Matcher],
        (min, max): (i64, i64),
        kept: impl Fn(&Labels) -> i64,
        mut visit: impl FnMut(&Labels),
    ) {
        let table = self.read();
        let (ids, filters) = candidates(matchers, || table.all(), |matcher| table.postings(matcher));
        let series = ids.iter().filter_map(|id| table.by_id.get(id));
        for series in series.filter(|series| meets(&series.labels, &filters)) {
            let kept = kept(&series.labels);
            let state = series.lock();
            if state.overlaps(min, max) && (kept <= min || state.overlaps(kept, max)) {
                drop(state);
                visit(&series.labels);
            }
        }
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
        let table = self.read();
        let (ids, filters) = candidates(matchers, || table.all(), |matcher| table.postings(matcher));
        let series =
            ids.iter().filter_map(|id| table.by_id.get(id)).filter(|series| meets(&series.labels, &filters));
        let selected: Vec<Series> = series
            .map(|series| (series.lock().parts(min, max), series))
            .filter(|(parts, _)| !parts.is_empty())
            .map(|(parts, series)| Series {
                labels: series.labels.clone(),
                parts: parts.into(),
                min_ms: min,
                max_ms: max,
                older: None,
                kept_ms: i64::MIN,
            })
            .collect();
        drop(table);
        sorted(selected, |series| &series.labels)
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
        for (name, value) in pairs {
            let Some(values) = table.names.get_mut(name) else { continue };
            if let Some(ids) = values.get_mut(value) {
                ids.retain(|id| !gone.contains(id));
                if ids.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                table.names.remove(name);
            }
        }
        gone.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.read().by_labels.len()
    }

    pub(crate) fn label_names(&self) -> Vec<String> {
        self.read().names.keys().map(|name| name.to_string()).collect()
    }

    pub(crate) fn label_values(&self, name: &str) -> Vec<String> {
        self.read()
            .names
            .get(name)
            .map_or_else(Vec::new, |values| values.keys().map(|value| value.to_string()).collect())
    }

    /// Names with the number of their values, and each pair with the number of its series.
    pub(crate) fn each_label(
        &self,
        mut names: impl FnMut(&str, usize),
        mut pairs: impl FnMut(&str, &str, usize),
    ) {
        for (name, values) in &self.read().names {
            names(name, values.len());
            values.iter().for_each(|(value, ids)| pairs(name, value, ids.len()));
        }
    }
}

impl Table {
    fn find(&self, labels: LabelsRef<'_>) -> Option<&Arc<MemSeries>> {
        self.by_labels.find(self.hasher.hash_one(labels), |series| series.labels == labels)
    }

    fn insert(&mut self, id: u64, labels: Labels) -> Arc<MemSeries> {
        let ascending = id > self.next_id;
        self.next_id = self.next_id.max(id);
        for (name, value) in &labels {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), Values::new());
            }
            let values = self.names.get_mut(name).expect("inserted above");
            match values.get_mut(value) {
                Some(ids) if ascending => ids.push(id),
                // A log restores them in any order.
                Some(ids) => ids.insert(ids.partition_point(|other| *other < id), id),
                None => drop(values.insert(value.into(), vec![id])),
            }
        }
        let series = Arc::new(MemSeries::new(id, labels));
        let hasher = &self.hasher;
        let hash = hasher.hash_one(&series.labels);
        self.by_labels.insert_unique(hash, Arc::clone(&series), |other| hasher.hash_one(&other.labels));
        self.by_id.insert(id, Arc::clone(&series));
        series
    }

    fn all(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.by_labels.iter().map(|series| series.id).collect();
        ids.sort_unstable();
        ids
    }

    fn postings(&self, matcher: &Matcher) -> Cow<'_, [u64]> {
        let Some(values) = self.names.get(matcher.name()) else { return Cow::Borrowed(&[]) };
        if let Some(texts) = matcher.texts() {
            let lists = texts.iter().filter_map(|text| values.get(text.as_str()));
            return union(lists.map(|ids| Cow::Borrowed(ids.as_slice())).collect());
        }
        let prefix = matcher.prefix();
        let range = values.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        let begun = range.take_while(|(value, _)| value.starts_with(prefix));
        union(
            begun
                .filter(|(value, _)| matcher.matches(value))
                .map(|(_, ids)| Cow::Borrowed(ids.as_slice()))
                .collect(),
        )
    }
}
