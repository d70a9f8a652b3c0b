//! The series of one target, by the text that names them: a series that is known costs one look-up.

use std::collections::HashSet;

use hashbrown::HashMap;
use streamflow_tsdb::{Labels, SeriesRef};

/// Room for failing scrapes before the cache is emptied of what no scrape that succeeded showed.
const GROWTH_MAX: usize = 1000;

/// What is known of a text.
#[derive(Debug)]
pub(super) enum Known {
    /// Relabeling drops it.
    Dropped,
    /// The store has it.
    Series { series: SeriesRef, labels: Labels },
}

#[derive(Debug)]
pub(super) struct Entry {
    pub known: Known,
    /// The last scrape that showed it.
    seen: u64,
    /// Whether the last complete scrape showed it, so that its absence is to be marked.
    shown: bool,
    /// Whether its absence is told by markers in this scrape: not where it brings its own timestamps.
    pub tracked: bool,
}

/// All texts of a target. Bounded by what one good scrape shows, twice, and [`GROWTH_MAX`].
#[derive(Debug, Default)]
pub(super) struct SeriesCache {
    entries: HashMap<Box<str>, Entry>,
    scrape: u64,
    good_count: usize,
}

impl SeriesCache {
    /// Begins a scrape.
    pub fn begin(&mut self) {
        self.scrape += 1;
    }

    /// The entry of a text, and whether this scrape showed it before.
    pub fn get(&mut self, text: &str) -> Option<(&mut Entry, bool)> {
        let scrape = self.scrape;
        self.entries.get_mut(text).map(|entry| {
            let again = entry.seen == scrape;
            entry.seen = scrape;
            (entry, again)
        })
    }

    pub fn insert(&mut self, text: &str, known: Known, tracked: bool) {
        self.entries.insert(text.into(), Entry { known, seen: self.scrape, shown: false, tracked });
    }

    /// Ends a scrape that succeeded: calls `stale` for each series that the one before showed and this one did not,
    /// and forgets what was not shown.
    pub fn end(&mut self, mut stale: impl FnMut(SeriesRef, &Labels)) {
        let scrape = self.scrape;
        let vanished = |entry: &Entry| entry.shown && entry.seen != scrape;
        if self.entries.values().any(vanished) {
            // The same series may be here under another text.
            let here: HashSet<u64> = self
                .entries
                .values()
                .filter(|entry| entry.seen == scrape)
                .filter_map(Entry::series)
                .collect();
            for entry in self.entries.values().filter(|entry| vanished(entry)) {
                if let Known::Series { series, labels } = &entry.known
                    && !here.contains(&series.get())
                {
                    stale(*series, labels);
                }
            }
        }
        self.entries.retain(|_, entry| {
            entry.shown = entry.tracked;
            entry.seen == scrape
        });
        self.good_count = self.entries.len();
    }

    /// Ends a scrape that failed, or scraping: calls `stale` for each series that the last complete scrape showed.
    /// Says whether the cache had to be emptied.
    pub fn fail(&mut self, mut stale: impl FnMut(SeriesRef, &Labels)) -> bool {
        for entry in self.entries.values_mut().filter(|entry| entry.shown) {
            if let Known::Series { series, labels } = &entry.known {
                stale(*series, labels);
            }
            entry.shown = false;
        }
        // Targets whose answers fail late, with other labels each time, would fill the memory.
        let grown = self.entries.len() > 2 * self.good_count + GROWTH_MAX;
        if grown {
            self.entries.clear();
        }
        grown
    }
}

impl Entry {
    fn series(&self) -> Option<u64> {
        match &self.known {
            Known::Dropped => None,
            Known::Series { series, .. } => Some(series.get()),
        }
    }
}
