//! Vectors made series by series: a selector, perhaps a function of its range, then functions of single samples.
//!
//! One series is decoded, walked and mapped into one buffer before the next is touched. So an aggregation over
//! `rate(x[5m])` needs the memory of its groups and not of its input, and all cores can work.

use rayon::prelude::*;
use streamflow_tsdb::{Aggregate, METRIC_NAME, Older, Samples, Series};

use crate::ast::{Expr, ExprKind, Extended, Span, VectorSelector};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::grid::{Column, Grid, METADATA, Row, merge_same_labels, same_labelset};
use crate::eval::selector::{Reading, Smoothing, Take, read_instant, read_smoothed, without_stale};
use crate::eval::source::{Head, RangeSamples, RowSource, heads_of};
use crate::eval::stage::Stage;
use crate::eval::window::History;
use crate::function::{Call, Implementation};

/// From this many cells on several threads are worth their start.
pub(crate) const PARALLEL_CELLS: usize = 20_000;
/// Makes the rows of a vector one at a time, in any order.
pub(crate) struct Pipeline<'q> {
    pub(crate) query: &'q RunningQuery<'q>,
    pub(crate) grid: Grid,
    pub(crate) source: RowSource,
    stages: Vec<Stage>,
    /// Labels of each row and whether the name goes at the end.
    pub(crate) heads: Vec<Head>,
    /// True if names were dropped from series of different names: rows may have to be merged or refused.
    pub(crate) may_collide: bool,
}

/// Buffers that one thread uses for one series after the other.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) samples: Samples,
    pub(crate) history: History,
    pub(crate) params: Vec<f64>,
    pub(crate) sorted: Vec<f64>,
    /// What is left of samples that are gone.
    pub(crate) older: Older,
    /// Of each sample whether it holds until the next one; empty where all samples are there.
    pub(crate) held: Vec<bool>,
    /// Aggregates for a function that knows these,
    pub(crate) rows: Vec<Aggregate>,
    /// and what of them lies in the range of a step.
    pub(crate) inside: Vec<Aggregate>,
}

impl RunningQuery<'_> {
    /// How to make the rows of an instant vector.
    pub(crate) fn pipeline<'q>(&'q self, expr: &Expr, grid: Grid) -> Result<Pipeline<'q>, Error> {
        let mut pending = Vec::new();
        let mut node = expr;
        loop {
            if self.is_constant_over(node, grid) {
                break;
            }
            let Some(operand) = self.mapped_operand(node) else { break };
            pending.push(node);
            node = operand;
        }
        let mut pipeline = self.source(node, grid)?;
        while let Some(expr) = pending.pop() {
            if let Some(stage) = self.stage(expr, grid)? {
                pipeline.push(stage);
            }
        }
        Ok(pipeline)
    }

    fn source<'q>(&'q self, expr: &Expr, grid: Grid) -> Result<Pipeline<'q>, Error> {
        if !self.is_constant_over(expr, grid) {
            match &expr.kind {
                ExprKind::Vector(selector) => {
                    return self.instant_source((selector, expr.span), grid, Take::Value);
                }
                ExprKind::Call { function, args } => {
                    if let Implementation::Range(range) = &function.implementation {
                        return self.range_source(&Call { function, args, span: expr.span }, *range, grid);
                    }
                }
                _ => {}
            }
        }
        self.rows(expr, grid).map(|rows| self.pipeline_of(rows, grid))
    }

    /// A pipeline over rows that exist.
    pub(crate) fn pipeline_of<'q>(&'q self, rows: Vec<Row>, grid: Grid) -> Pipeline<'q> {
        let heads =
            rows.iter().map(|row| Head { labels: row.labels.clone(), drop_name: row.drop_name }).collect();
        Pipeline {
            query: self,
            grid,
            source: RowSource::Rows(rows),
            stages: Vec::new(),
            heads,
            may_collide: false,
        }
    }

    /// The samples of a selector, or their times.
    pub(crate) fn instant_source<'q>(
        &'q self,
        (selector, span): (&VectorSelector, Span),
        grid: Grid,
        take: Take,
    ) -> Result<Pipeline<'q>, Error> {
        self.instant_source_at((selector, span), self.reading(&selector.modifiers)?, grid, take)
    }

    /// As [`RunningQuery::instant_source`], reading at other times than the selector says.
    pub(crate) fn instant_source_at<'q>(
        &'q self,
        (selector, span): (&VectorSelector, Span),
        reading: Reading,
        grid: Grid,
        take: Take,
    ) -> Result<Pipeline<'q>, Error> {
        let lookback = self.options.lookback_ms;
        let smoothed = selector.extended == Some(Extended::Smoothed);
        let after = if smoothed { lookback } else { 0 };
        let (first, last) = (reading.time(grid.start_ms), reading.time(grid.last()));
        let bounds = (first.saturating_sub(lookback), last.saturating_add(after));
        let series = self.select(selector, bounds, (grid.step_ms, 0))?;
        let heads = heads_of(series.iter().map(Series::labels));
        let finds_resets = self.analysis.finds_resets(selector);
        let source = RowSource::Instant { series, reading, take, smoothed, finds_resets, span };
        Ok(Pipeline::new(self, grid, source, heads))
    }
}

impl<'q> Pipeline<'q> {
    pub(crate) fn new(query: &'q RunningQuery<'q>, grid: Grid, source: RowSource, heads: Vec<Head>) -> Self {
        Self { query, grid, source, stages: Vec::new(), heads, may_collide: false }
    }

    pub(crate) fn drop_names(&mut self) {
        let delayed = self.query.options.delayed_name_removal;
        let mut first: Option<String> = None;
        for head in &mut self.heads {
            if delayed {
                head.drop_name = true;
                continue;
            }
            let name = head.labels.get(METRIC_NAME).unwrap_or_default();
            match &first {
                None => first = Some(name.to_owned()),
                Some(first) => self.may_collide |= first != name,
            }
            if METADATA.iter().any(|label| head.labels.get(label).is_some()) {
                head.labels = head.labels.without(&METADATA);
            }
        }
    }

    fn push(&mut self, stage: Stage) {
        if !stage.keeps_name() {
            self.drop_names();
        }
        self.stages.push(stage);
    }

    fn apply_stages(&self, scratch: &mut Scratch, values: &mut Column) {
        for stage in &self.stages {
            stage.apply(self.query, &mut scratch.params, values);
        }
    }

    /// Tells whether threads pay.
    pub(crate) fn is_large(&self) -> bool {
        self.heads.len() > 1 && self.heads.len() * (self.grid.steps + 16) >= PARALLEL_CELLS
    }

    /// All rows that have a sample.
    pub(crate) fn collect(mut self) -> Result<Vec<Row>, Error> {
        let ranged = matches!(self.source, RowSource::Range { .. });
        let rows = match std::mem::replace(&mut self.source, RowSource::Rows(Vec::new())) {
            RowSource::Rows(rows) => self.map_rows(rows)?,
            source => {
                self.source = source;
                self.make_rows()?
            }
        };
        if !self.may_collide {
            return Ok(rows);
        }
        let before = rows.len();
        let merged = merge_same_labels(rows)?;
        // Functions of ranges refuse equal labels even at different times.
        if ranged && self.stages.is_empty() && merged.len() < before {
            Err(same_labelset())
        } else {
            Ok(merged)
        }
    }

    fn map_rows(&self, mut rows: Vec<Row>) -> Result<Vec<Row>, Error> {
        if self.stages.is_empty() {
            return Ok(rows);
        }
        let mut scratch = Scratch::default();
        for (row, head) in rows.iter_mut().zip(&self.heads) {
            self.query.check()?;
            self.apply_stages(&mut scratch, &mut row.values);
            row.values.weigh()?;
            row.labels = head.labels.clone();
            row.drop_name = head.drop_name;
        }
        rows.retain(|row| row.values.any_present());
        Ok(rows)
    }

    fn make_rows(&self) -> Result<Vec<Row>, Error> {
        let make = |scratch: &mut Scratch, index: usize| -> Result<Option<Row>, Error> {
            let mut values = self.query.budget.values(self.grid.steps)?;
            let present = self.fill(index, scratch, &mut values)?;
            values.weigh()?;
            let head = &self.heads[index];
            Ok(present.then(|| Row { labels: head.labels.clone(), drop_name: head.drop_name, values }))
        };
        if self.is_large() {
            return (0..self.heads.len())
                .into_par_iter()
                .map_init(Scratch::default, make)
                .filter_map(Result::transpose)
                .collect();
        }
        let mut scratch = Scratch::default();
        (0..self.heads.len()).filter_map(|index| make(&mut scratch, index).transpose()).collect()
    }

    /// Computes row `index` into `out`, one cell a step. Says whether any is present.
    pub(crate) fn fill(&self, index: usize, scratch: &mut Scratch, out: &mut Column) -> Result<bool, Error> {
        self.query.check()?;
        out.clear_histograms();
        match &self.source {
            RowSource::Rows(rows) => out.copy_from(&rows[index].values),
            RowSource::Instant { series, reading, take, smoothed, finds_resets, span } => {
                self.query.read_points((&series[index], *span), *finds_resets, scratch)?;
                let lookback = self.query.options.lookback_ms;
                if *smoothed {
                    without_stale(&mut scratch.samples, &mut scratch.history);
                    let ends =
                        Smoothing { query: self.query, metric: series[index].labels().name(), span: *span };
                    read_smoothed(&scratch.history, (*reading, lookback), self.grid, &ends, out);
                } else {
                    let read = (&scratch.samples, scratch.held.as_slice());
                    read_instant(read, (*reading, lookback, *take), self.grid, out);
                }
            }
            RowSource::Range { samples, read } => {
                self.read_history(index, (samples, read), scratch)?;
                let metric = match samples {
                    RangeSamples::Stored(series) => series[index].labels().name(),
                    RangeSamples::Subquery { rows, .. } => rows[index].labels.name(),
                };
                match read.function.of_windows {
                    Some(of_windows) if !scratch.rows.is_empty() => {
                        self.fill_windows((read, of_windows), scratch, out)?;
                    }
                    _ => self.fill_range(read, metric, scratch, out)?,
                }
                self.note_not_counter(index, read, out);
            }
        }
        self.apply_stages(scratch, out);
        Ok(out.any_present())
    }
}
