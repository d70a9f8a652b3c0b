//! Evaluates the expectations of a table while its rows pass by.

use std::collections::HashMap;

use crate::cell::{Cell, Cells};
use crate::problem::Position;
use crate::snapshot::expectations::expectation::Expectation;
use crate::snapshot::expectations::result::{ExpectationResult, Measure, Unexpected};
use crate::snapshot::expectations::rules::{self, Facts, Kind, Observed, Test};
use crate::snapshot::fingerprint::{Entities, fingerprint};
use crate::snapshot::rows::Rows;
use crate::snapshot::spec::TableSpec;

/// The expectations of one table, under evaluation.
pub(crate) struct TableCheck<'a> {
    table: &'a str,
    spec: &'a TableSpec,
    header: Vec<String>,
    rows: u64,
    checks: Vec<Check<'a>>,
}

struct Check<'a> {
    expectation: &'a Expectation,
    state: State<'a>,
}

enum State<'a> {
    Present { test: Test<'a>, tally: Tally },
    NotNull(Tally),
    Unique { seen: HashMap<u128, Seen>, tally: Tally },
    Table(fn(&Expectation, &Facts) -> Observed),
}

/// Where a value was first seen, and how often.
struct Seen {
    index: u64,
    position: Position,
    count: u64,
}

#[derive(Default)]
struct Tally {
    elements: u64,
    missing: u64,
    unexpected: u64,
    shown: Vec<Unexpected>,
}

/// Unexpected values that a result shows, as many as Great Expectations does.
const SHOWN: usize = 20;

impl Tally {
    fn add(&mut self, index: u64, position: Position, cell: Cell<'_>) {
        self.unexpected += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(Unexpected { index, position, value: cell.to_json() });
        }
    }
}

impl<'a> TableCheck<'a> {
    /// Gets ready; the expectations have passed [`crate::snapshot::expectations::problems::of_expectation`].
    pub(crate) fn new(table: &'a str, spec: &'a TableSpec, entities: &'a Entities) -> Self {
        let checks = spec.expectations.iter().filter_map(|expectation| {
            let state = match &rules::named(&expectation.expect)?.kind {
                Kind::Present(test) => {
                    State::Present { test: test(expectation, entities), tally: Tally::default() }
                }
                Kind::NotNull => State::NotNull(Tally::default()),
                Kind::Unique => State::Unique { seen: HashMap::new(), tally: Tally::default() },
                Kind::Table(observe) => State::Table(*observe),
            };
            Some(Check { expectation, state })
        });
        TableCheck { table, spec, header: Vec::new(), rows: 0, checks: checks.collect() }
    }

    /// Takes a batch into account.
    pub(crate) fn update(&mut self, rows: &Rows) {
        if self.header.is_empty() {
            let schema = rows.batch.schema();
            self.header = schema.fields().iter().map(|field| field.name().clone()).collect();
        }
        self.rows += rows.batch.num_rows() as u64;
        for check in &mut self.checks {
            let Some(column) = &check.expectation.column else { continue };
            check.state.update(rows, &rows.cells(column));
        }
    }

    /// The results, in the order of the configuration.
    pub(crate) fn finish(self) -> Vec<ExpectationResult> {
        let facts = Facts { rows: self.rows, header: &self.header, spec: self.spec };
        let table = self.table;
        self.checks.into_iter().map(|check| check.finish(table, &facts)).collect()
    }
}

impl State<'_> {
    fn update(&mut self, rows: &Rows, cells: &Cells) {
        for row in 0..rows.batch.num_rows() {
            let cell = cells.get(row);
            let missing = cell == Cell::Missing;
            let index = rows.first_row + row as u64;
            let tally = match self {
                State::Present { tally, .. } | State::NotNull(tally) | State::Unique { tally, .. } => tally,
                State::Table(_) => return,
            };
            tally.elements += 1;
            tally.missing += u64::from(missing);
            match self {
                State::Present { test, tally } if !missing && test(cell) => {
                    tally.add(index, rows.position(row), cell);
                }
                State::NotNull(tally) if missing => tally.add(index, rows.position(row), cell),
                State::Unique { seen, tally } if !missing => {
                    let first = Seen { index, position: rows.position(row), count: 0 };
                    let seen = seen.entry(fingerprint(cell)).or_insert(first);
                    seen.count += 1;
                    if seen.count == 2 {
                        tally.add(seen.index, seen.position, cell);
                    }
                    if seen.count >= 2 {
                        tally.add(index, rows.position(row), cell);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Check<'_> {
    fn finish(self, table: &str, facts: &Facts) -> ExpectationResult {
        let expectation = self.expectation;
        let (success, measure) = match self.state {
            State::Table(observe) => {
                let observed = observe(expectation, facts);
                (observed.success, Measure::Observed { value: observed.value, details: observed.details })
            }
            State::NotNull(tally) => values(tally, true, expectation),
            State::Present { tally, .. } | State::Unique { tally, .. } => values(tally, false, expectation),
        };
        ExpectationResult { table: table.to_string(), expectation: expectation.clone(), success, measure }
    }
}

/// Judges a count: with no value to judge, the expectation is met.
fn values(mut tally: Tally, of_nulls: bool, expectation: &Expectation) -> (bool, Measure) {
    tally.shown.sort_by_key(|unexpected| unexpected.index);
    let judged = if of_nulls { tally.elements } else { tally.elements - tally.missing };
    let met = (judged - tally.unexpected) as f64 / judged as f64;
    let success = judged == 0 || met >= expectation.mostly.unwrap_or(1.0);
    let measure = Measure::Values {
        element_count: tally.elements,
        missing_count: (!of_nulls).then_some(tally.missing),
        unexpected_count: tally.unexpected,
        unexpected: tally.shown,
    };
    (success, measure)
}
