//! Counts the values of CSV columns in one pass: threads take blocks of the file and count each on its own.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::count::column_tally::ColumnTally;
use crate::count::row_facts::RowTally;
use crate::count::threads::on_threads;
use crate::count::written_number::Commas;
use crate::format::csv::blocks::{Block, Blocks, Next};
use crate::format::csv::fields::{Field, for_each_field};

/// A column that holds less is not worth dropping while others hold more.
const WORTH_DROPPING: u64 = 1 << 20;

/// What to count, by columns of the file.
pub(crate) struct Plan<'a> {
    /// The columns of the file; `None` where a column is not asked for.
    pub(crate) columns: Vec<Option<Wanted>>,
    /// Memory for the values of all columns; the first one asked for may take more.
    pub(crate) memory_bytes: u64,
    pub(crate) threads: usize,
    pub(crate) separator: u8,
    /// Whether rows are looked at as a whole, and then which columns of them.
    pub(crate) looked_at: Option<&'a [bool]>,
    /// Told when more was read.
    pub(crate) progress: &'a (dyn Fn() + Sync),
}

/// How a column is to be counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// As [`ColumnTally::new`] takes it.
    pub(crate) as_text: bool,
    /// The columns asked for, from 0: the last ones are dropped first.
    pub(crate) rank: usize,
}

/// What was counted: the columns asked for, in the order of the file.
pub(crate) struct Tally {
    pub(crate) rows: u64,
    pub(crate) columns: Vec<Option<ColumnTally>>,
    /// The rows as a whole, where they were looked at.
    pub(crate) together: Option<RowTally>,
}

/// Counts the records of `sources`, each of which stands after its header. `None` when one of them is faulty: which, and
/// on which line of its file, is told by reading again in order.
pub(crate) fn tally<R: Read + Send>(
    sources: impl Iterator<Item = io::Result<R>> + Send,
    plan: &Plan,
) -> io::Result<Option<Tally>> {
    let blocks = Mutex::new(Blocks::new(sources, plan.separator));
    let memory = Memory::new(plan);
    let stop = AtomicBool::new(false);
    let parts = on_threads(plan.threads, || {
        let worked = Worker::new(plan, &memory).run(&blocks, &stop);
        // The others need not go on to the end.
        stop.fetch_or(!matches!(worked, Ok(Some(_))), Ordering::Relaxed);
        worked
    });
    let mut whole: Option<Tally> = None;
    for part in parts {
        let Some(part) = part? else { return Ok(None) };
        whole = Some(match whole {
            None => part,
            Some(whole) => whole.merge(part),
        });
    }
    Ok(whole)
}

impl Tally {
    fn merge(self, other: Tally) -> Tally {
        let pairs = self.columns.into_iter().zip(other.columns);
        let columns = pairs.map(|pair| match pair {
            (Some(left), Some(right)) => Some(left.merge(right)),
            (left, right) => left.or(right),
        });
        let together = self.together.zip(other.together).map(|(left, right)| left.merge(right));
        Tally { rows: self.rows + other.rows, columns: columns.collect(), together }
    }
}

/// What one thread has counted.
struct Worker<'a> {
    plan: &'a Plan<'a>,
    memory: &'a Memory,
    tally: Tally,
    /// What was last reported to `memory`, by column.
    reported: Vec<u64>,
}

impl<'a> Worker<'a> {
    fn new(plan: &'a Plan<'a>, memory: &'a Memory) -> Self {
        let commas = Commas::of(plan.separator);
        let column = |wanted: Wanted| ColumnTally::new(wanted.as_text, commas);
        let columns = plan.columns.iter().map(|wanted| wanted.map(column));
        let together = plan.looked_at.map(|columns| RowTally::new(columns.len()));
        let tally = Tally { rows: 0, columns: columns.collect(), together };
        Worker { plan, memory, tally, reported: vec![0; plan.columns.len()] }
    }

    fn run<R: Read>(
        mut self,
        blocks: &Mutex<Blocks<impl Iterator<Item = io::Result<R>>, R>>,
        stop: &AtomicBool,
    ) -> io::Result<Option<Tally>> {
        let (mut block, mut unquoted) = (Block::default(), String::new());
        while !stop.load(Ordering::Relaxed) {
            // A thread that panicked passes its panic on when it is joined.
            let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).advance(&mut block);
            match next? {
                Next::Block => {}
                Next::TooLong => return Ok(None),
                Next::End => break,
            }
            let Tally { columns, together, .. } = &mut self.tally;
            let looked_at = self.plan.looked_at.unwrap_or_default();
            let see = |column: usize, field: Field<'_>| {
                if let Some(together) = together {
                    together.see(column, field, looked_at[column]);
                }
                if let Some(Some(column)) = columns.get_mut(column) {
                    column.see(field);
                }
            };
            let records =
                for_each_field(&block, self.plan.columns.len(), self.plan.separator, &mut unquoted, see);
            let Some(records) = records else { return Ok(None) };
            self.tally.rows += records;
            self.report();
            (self.plan.progress)();
        }
        Ok(Some(self.tally))
    }

    /// Tells how much memory the columns hold and drops those that may hold none.
    fn report(&mut self) {
        let mut grown = 0;
        for (place, column) in self.tally.columns.iter_mut().enumerate() {
            let Some(column) = column else { continue };
            if self.memory.is_dropped(place) {
                column.drop_values();
            }
            let bytes = column.bytes();
            if bytes != self.reported[place] {
                grown += bytes.saturating_sub(self.reported[place]);
                self.memory.columns[place].add(bytes, self.reported[place]);
                self.reported[place] = bytes;
            }
        }
        if grown > 0 {
            self.memory.drop_what_is_too_much(self.plan);
        }
    }
}

/// What the columns hold in all threads.
struct Memory {
    columns: Vec<Held>,
    choosing: Mutex<()>,
}

#[derive(Default)]
struct Held {
    bytes: AtomicU64,
    dropped: AtomicBool,
}

impl Held {
    fn add(&self, now: u64, before: u64) {
        self.bytes.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }
}

impl Memory {
    fn new(plan: &Plan) -> Self {
        let columns = plan.columns.iter().map(|_| Held::default()).collect();
        Memory { columns, choosing: Mutex::new(()) }
    }

    fn is_dropped(&self, place: usize) -> bool {
        self.columns[place].dropped.load(Ordering::Relaxed)
    }

    /// Marks columns to be dropped, the last ones asked for first, until the others keep to the bound.
    fn drop_what_is_too_much(&self, plan: &Plan) {
        let Ok(_choosing) = self.choosing.try_lock() else { return };
        let mut kept: Vec<(usize, usize, u64)> = Vec::new();
        for (place, (held, wanted)) in self.columns.iter().zip(&plan.columns).enumerate() {
            if let Some(wanted) = wanted
                && !self.is_dropped(place)
            {
                kept.push((wanted.rank, place, held.bytes.load(Ordering::Relaxed)));
            }
        }
        let mut total: u64 = kept.iter().map(|(_, _, bytes)| bytes).sum();
        kept.sort_unstable();
        while total > plan.memory_bytes && kept.len() > 1 {
            let large = kept.iter().rposition(|(_, _, bytes)| *bytes >= WORTH_DROPPING);
            let (_, place, bytes) = kept.remove(large.filter(|found| *found > 0).unwrap_or(kept.len() - 1));
            self.columns[place].dropped.store(true, Ordering::Relaxed);
            total -= bytes;
        }
    }
}
