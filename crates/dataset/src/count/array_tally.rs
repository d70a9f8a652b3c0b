//! Counts the values of columns that are stored apart: threads take a few columns each.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arrow_array::{Array, ArrayRef};
use hashbrown::HashMap;

use crate::cell::Cells;
use crate::column_type::ColumnType;
use crate::count::count_table::CountTable;
use crate::count::parts::{self, Part};
use crate::count::repeats::Repeats;
use crate::count::row_facts::{SharedRows, see_array};
use crate::count::threads::on_threads;
use crate::count::value_counts::{Counts, Numbers, Unparseable, ValueCounts};
use crate::error::Error;
use crate::format::plain_array::unsupported;
use crate::problem::{Fault, ProblemKind};

/// What to count.
pub(crate) struct Plan<'a> {
    /// Positions of the columns in the file, in the order asked for.
    pub(crate) columns: &'a [usize],
    /// No column is begun once the ones before hold this much.
    pub(crate) memory_bytes: u64,
    pub(crate) threads: usize,
    /// Whether rows are looked at as a whole.
    pub(crate) whole_rows: bool,
    /// Told of each column that is done.
    pub(crate) progress: &'a (dyn Fn() + Sync),
}

/// What was counted, in the order asked for.
pub(crate) struct Tally {
    /// `None` where there was no memory to begin a column.
    pub(crate) columns: Vec<Option<Counted>>,
    /// A hash of each row, where there are few enough and all columns were counted.
    pub(crate) rows: Option<Vec<u64>>,
}

/// A column and a hash of its values in their order.
pub(crate) struct Counted {
    pub(crate) values: ValueCounts,
    pub(crate) hash: u64,
}

/// Counts the columns of the plan in all parts, of which there is at least one.
pub(crate) fn tally(parts: &[Part], plan: &Plan) -> Result<Tally, Error> {
    let together = parts.iter().map(|part| part.columns.together()).max().unwrap_or(1);
    let groups: Vec<&[usize]> = plan.columns.chunks(together).collect();
    let row_count = parts.iter().map(|part| part.columns.rows()).fold(0, u64::saturating_add);
    let rows = if plan.whole_rows { SharedRows::new(row_count) } else { None };
    let (next, held, stop) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut counted = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let group = next.fetch_add(1, Ordering::Relaxed);
            let Some(positions) = groups.get(group) else { break };
            if group > 0 && held.load(Ordering::Relaxed) >= plan.memory_bytes {
                break;
            }
            let columns = count_columns(parts, positions, plan.whole_rows, rows.as_ref())
                .inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            held.fetch_add(columns.iter().map(|column| column.values.bytes()).sum(), Ordering::Relaxed);
            columns.iter().for_each(|_| (plan.progress)());
            counted.extend(
                columns.into_iter().enumerate().map(|(rank, column)| (group * together + rank, column)),
            );
        }
        Ok::<_, Error>(counted)
    };
    let threads = plan.threads.min(groups.len());
    let mut columns: Vec<Option<Counted>> = plan.columns.iter().map(|_| None).collect();
    for part in on_threads(threads, work) {
        for (rank, column) in part? {
            columns[rank] = Some(column);
        }
    }
    let rows = rows.filter(|_| columns.iter().all(Option::is_some)).map(SharedRows::into_rows);
    Ok(Tally { columns, rows })
}

fn count_columns(
    parts: &[Part],
    positions: &[usize],
    whole_rows: bool,
    rows: Option<&SharedRows>,
) -> Result<Vec<Counted>, Error> {
    let (mut hashes, mut first) = (vec![0_u64; positions.len()], 0);
    let mut columns =
        positions.iter().map(|position| begin(parts, *position)).collect::<Result<Vec<_>, _>>()?;
    for part in parts {
        let mut count = || {
            let mut batches = part.columns.batches(part.source.pieces()?, positions)?;
            while let Some((length, arrays)) = batches.advance()? {
                for (rank, column) in columns.iter_mut().enumerate() {
                    let array = arrays.get(rank).ok_or(ProblemKind::Changed)?;
                    column.add(array)?;
                    if whole_rows {
                        hashes[rank] =
                            hashes[rank].wrapping_add(see_array(array, positions[rank], first, rows));
                    }
                }
                first += length;
            }
            Ok(())
        };
        count().map_err(|fault| Error::of_file(&part.name, fault))?;
    }
    let finish = |(column, hash): (Column, u64)| {
        let (missing, values) = column.finish();
        let name = String::new();
        Counted { values: ValueCounts { name, missing, unparseable: Unparseable::default(), values }, hash }
    };
    Ok(columns.into_iter().zip(hashes).map(finish).collect())
}

fn begin(parts: &[Part], position: usize) -> Result<Column, Error> {
    parts::column_type(parts, position).map(Column::new).ok_or_else(|| {
        let field = parts[0].columns.schema().field(position);
        Error::of_file(&parts[0].name, Fault::in_column(field.name(), unsupported(field.data_type())))
    })
}

/// What a column's arrays have held so far.
struct Column {
    missing: u64,
    values: Values,
}

enum Values {
    Float(Bits<f64>),
    Integer(Bits<i64>),
    Boolean([u64; 2]),
    Text(HashMap<Box<str>, u64>),
    Date(HashMap<i32, u64>),
}

impl Column {
    fn new(column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::Float => Values::Float(Bits::new(f64::from_bits)),
            ColumnType::Integer => Values::Integer(Bits::new(u64::cast_signed)),
            ColumnType::Boolean => Values::Boolean([0; 2]),
            ColumnType::String => Values::Text(HashMap::new()),
            ColumnType::Date => Values::Date(HashMap::new()),
        };
        Column { missing: 0, values }
    }

    fn add(&mut self, array: &ArrayRef) -> Result<(), ProblemKind> {
        self.missing += array.null_count() as u64;
        // A part in which the column is all missing may know no type of it.
        if array.null_count() == array.len() {
            return Ok(());
        }
        match (&mut self.values, Cells::new(array)) {
            (Values::Float(numbers), Some(Cells::Float(array))) => {
                for value in array.iter().flatten() {
                    if value.is_nan() {
                        self.missing += 1;
                    } else {
                        // Adding zero makes negative zero the same value.
                        numbers.see((value + 0.0).to_bits());
                    }
                }
            }
            (Values::Integer(numbers), Some(Cells::Integer(array))) => {
                array.iter().flatten().for_each(|value| numbers.see(value.cast_unsigned()));
            }
            (Values::Float(numbers), Some(Cells::Integer(array))) => {
                array.iter().flatten().for_each(|value| numbers.see((value as f64).to_bits()));
            }
            // Numbers too large for 64 signed bits come as floats.
            (values @ Values::Integer(_), Some(Cells::Float(_))) => {
                if let Values::Integer(numbers) = std::mem::replace(values, Values::Boolean([0; 2])) {
                    *values = Values::Float(numbers.into_floats());
                }
                self.missing -= array.null_count() as u64;
                return self.add(array);
            }
            (Values::Boolean(counts), Some(Cells::Boolean(array))) => {
                array.iter().flatten().for_each(|value| counts[usize::from(value)] += 1);
            }
            (Values::Text(counts), Some(Cells::Text(array))) => {
                for text in array.iter().flatten() {
                    match counts.get_mut(text) {
                        Some(count) => *count += 1,
                        None => drop(counts.insert(text.into(), 1)),
                    }
                }
            }
            (Values::Date(counts), Some(Cells::Date(array))) => {
                array.iter().flatten().for_each(|day| *counts.entry(day).or_insert(0) += 1);
            }
            _ => return Err(ProblemKind::Changed),
        }
        Ok(())
    }

    /// As pandas has it, whole numbers with a missing value are floats.
    fn finish(self) -> (u64, Counts) {
        let values = match self.values {
            Values::Integer(numbers) if self.missing > 0 => Values::Float(numbers.into_floats()),
            values => values,
        };
        let values = match values {
            Values::Float(numbers) => Counts::Float(numbers.finish()),
            Values::Integer(numbers) => Counts::Integer(numbers.finish()),
            Values::Boolean(counts) => Counts::Boolean(counts),
            Values::Text(counts) => {
                Counts::Text(counts.into_iter().map(|(text, count)| (text.into_string(), count)).collect())
            }
            Values::Date(counts) => Counts::Date(counts.into_iter().collect()),
        };
        (self.missing, values)
    }
}

/// Numbers by their 64 bits: counted as long as they repeat, collected from then on.
struct Bits<T> {
    rows: u64,
    counts: CountTable,
    many: Vec<T>,
    collecting: bool,
    repeats: Repeats,
    of_bits: fn(u64) -> T,
}

impl<T: Copy> Bits<T> {
    fn new(of_bits: fn(u64) -> T) -> Self {
        Bits {
            rows: 0,
            counts: CountTable::new(),
            many: Vec::new(),
            collecting: false,
            repeats: Repeats::default(),
            of_bits,
        }
    }

    #[inline]
    fn see(&mut self, bits: u64) {
        if self.collecting {
            self.many.push((self.of_bits)(bits));
            return;
        }
        self.rows += 1;
        if self.counts.add([bits, 0], 1) {
            self.collecting = self.repeats.are_rare(self.rows, self.counts.distinct());
        }
    }

    fn finish(self) -> Numbers<T> {
        let mut numbers = Numbers { counts: Vec::new(), rows: self.many };
        self.counts.iter().for_each(|([bits, _], count)| numbers.add((self.of_bits)(bits), count));
        numbers
    }
}

impl Bits<i64> {
    fn into_floats(self) -> Bits<f64> {
        let mut floats = Bits::new(f64::from_bits);
        for ([bits, _], count) in self.counts.iter() {
            floats.counts.add([(bits.cast_signed() as f64).to_bits(), 0], count);
        }
        floats.many = self.many.into_iter().map(|value| value as f64).collect();
        Bits { rows: self.rows, collecting: self.collecting, repeats: self.repeats, ..floats }
    }
}
