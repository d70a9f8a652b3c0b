//! Vectors made series by series: a selector, perhaps a function of its range, then functions of single samples.
//!
//! One series is decoded, walked and mapped into one buffer before the next is touched. So an aggregation over
//! `rate(x[5m])` needs the memory of its groups and not of its input, and all cores can work.

use rayon::prelude::*;
use streamflow_tsdb::{Labels, METRIC_NAME, Samples, Series};

use crate::annotations::Annotation;
use crate::ast::{Binary, Expr, ExprKind, Extended, Span, Subquery, ValueType, VectorSelector};
use crate::error::Error;
use crate::eval::Query;
use crate::eval::analysis::unwrap_parens;
use crate::eval::binary::{Arithmetic, Comparison};
use crate::eval::grid::{
    ABSENT, Grid, METADATA, Node, Row, Scalars, is_absent, merge_same_labels, same_labelset,
};
use crate::eval::selector::{Reading, Take, margins, read_instant, read_smoothed, without_stale};
use crate::eval::window::{History, Window};
use crate::functions::time::Moment;
use crate::functions::{Call, Implementation};

/// From this many cells on several threads are worth their start.
const PARALLEL_CELLS: usize = 20_000;
/// Steps between two questions whether to go on.
const STEPS_PER_CHECK: usize = 512;

/// Makes the rows of a vector one at a time, in any order.
pub(crate) struct Pipeline<'q> {
    query: &'q Query<'q>,
    pub(crate) grid: Grid,
    source: Source,
    stages: Vec<Stage>,
    /// Labels of each row and whether the name goes at the end.
    pub(crate) heads: Vec<Head>,
    /// Whether names were dropped from series of different names.
    may_collide: bool,
}

/// What is known of a row before its values.
pub(crate) struct Head {
    pub(crate) labels: Labels,
    pub(crate) drop_name: bool,
}

enum Source {
    Rows(Vec<Row>),
    Instant { series: Vec<Series>, reading: Reading, take: Take, smoothed: bool },
    Range { samples: RangeSamples, read: RangeRead },
}

enum RangeSamples {
    Stored(Vec<Series>),
    Subquery { rows: Vec<Row>, grid: Grid },
}

struct RangeRead {
    call: fn(&mut Window) -> f64,
    /// Whether the function asks for the resets of a counter.
    counter: bool,
    range_ms: i64,
    reading: Reading,
    extended: Option<Extended>,
    params: Vec<Scalars>,
    /// Series with a name that no counter should have, and where to say so.
    not_counters: Option<(Vec<Labels>, Span)>,
}

/// A function of one sample.
enum Stage {
    Negate,
    Map(fn(f64) -> f64),
    MapWith(fn(f64, &[f64]) -> f64, Vec<Scalars>),
    Date(fn(Moment) -> f64),
    Arithmetic(Arithmetic, Operand),
    Comparison(Comparison, Operand, bool),
}

/// The scalar side of an operator.
struct Operand {
    scalars: Scalars,
    is_left: bool,
}

/// Buffers that one thread uses for one series after the other.
#[derive(Default)]
pub(crate) struct Scratch {
    samples: Samples,
    history: History,
    params: Vec<f64>,
    sorted: Vec<f64>,
}

impl Query<'_> {
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
            self.push_stage(&mut pipeline, expr)?;
        }
        Ok(pipeline)
    }

    /// The vector whose samples `expr` maps one by one, where it does.
    fn mapped_operand<'e>(&self, expr: &'e Expr) -> Option<&'e Expr> {
        match &expr.kind {
            ExprKind::Paren(inner) => Some(inner),
            ExprKind::Unary { operand, .. } => Some(operand),
            ExprKind::Call { function, args } => match function.implementation {
                Implementation::Map(_) | Implementation::MapWith(_) | Implementation::Date(_) => args.first(),
                _ => None,
            },
            ExprKind::Binary(binary) => self.vector_beside_scalar(binary).map(|(vector, _, _)| vector),
            _ => None,
        }
    }

    /// The vector, the scalar, and whether the scalar is on the left.
    fn vector_beside_scalar<'e>(&self, binary: &'e Binary) -> Option<(&'e Expr, &'e Expr, bool)> {
        match (self.analysis.value_type(&binary.lhs), self.analysis.value_type(&binary.rhs)) {
            (ValueType::Vector, ValueType::Scalar) => Some((&binary.lhs, &binary.rhs, false)),
            (ValueType::Scalar, ValueType::Vector) => Some((&binary.rhs, &binary.lhs, true)),
            _ => None,
        }
    }

    fn push_stage(&self, pipeline: &mut Pipeline, expr: &Expr) -> Result<(), Error> {
        let grid = pipeline.grid;
        let stage = match &expr.kind {
            ExprKind::Unary { negative: true, .. } => Stage::Negate,
            ExprKind::Call { function, args } => {
                let params =
                    || args[1..].iter().map(|arg| self.scalars(arg, grid)).collect::<Result<Vec<_>, Error>>();
                match function.implementation {
                    Implementation::Map(map) => Stage::Map(map),
                    Implementation::MapWith(map) => Stage::MapWith(map, params()?),
                    Implementation::Date(field) => Stage::Date(field),
                    _ => return Ok(()),
                }
            }
            ExprKind::Binary(binary) => {
                let Some((_, scalar, is_left)) = self.vector_beside_scalar(binary) else { return Ok(()) };
                let operand = Operand { scalars: self.scalars(scalar, grid)?, is_left };
                match Arithmetic::of(binary.op) {
                    Some(arithmetic) => Stage::Arithmetic(arithmetic, operand),
                    None => Stage::Comparison(Comparison::of(binary.op)?, operand, binary.return_bool),
                }
            }
            _ => return Ok(()),
        };
        let keeps_name = matches!(stage, Stage::Comparison(_, _, false));
        pipeline.stages.push(stage);
        if !keeps_name {
            pipeline.drop_names();
        }
        Ok(())
    }

    fn source<'q>(&'q self, expr: &Expr, grid: Grid) -> Result<Pipeline<'q>, Error> {
        if !self.is_constant_over(expr, grid) {
            match &expr.kind {
                ExprKind::Vector(selector) => return self.instant_source(selector, grid, Take::Value),
                ExprKind::Call { function, args } => {
                    if let Implementation::Range { call, counter } = function.implementation {
                        return self.range_source(
                            &Call { function, args, span: expr.span },
                            (call, counter),
                            grid,
                        );
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
            source: Source::Rows(rows),
            stages: Vec::new(),
            heads,
            may_collide: false,
        }
    }

    /// The samples of a selector, or their times.
    pub(crate) fn instant_source<'q>(
        &'q self,
        selector: &VectorSelector,
        grid: Grid,
        take: Take,
    ) -> Result<Pipeline<'q>, Error> {
        self.instant_source_at(selector, self.reading(&selector.modifiers)?, grid, take)
    }

    /// As [`Query::instant_source`], reading at other times than the selector says.
    pub(crate) fn instant_source_at<'q>(
        &'q self,
        selector: &VectorSelector,
        reading: Reading,
        grid: Grid,
        take: Take,
    ) -> Result<Pipeline<'q>, Error> {
        let lookback = self.options.lookback_ms;
        let smoothed = selector.extended == Some(Extended::Smoothed);
        let after = if smoothed { lookback } else { 0 };
        let (first, last) = (reading.time(grid.start), reading.time(grid.end()));
        let series = self.select(selector, first.saturating_sub(lookback), last.saturating_add(after))?;
        let heads = heads_of(series.iter().map(Series::labels));
        let source = Source::Instant { series, reading, take, smoothed };
        Ok(Pipeline { query: self, grid, source, stages: Vec::new(), heads, may_collide: false })
    }

    /// The series of a function of a range at every step.
    pub(crate) fn range_rows(&self, call: &Call, grid: Grid) -> Result<Vec<Row>, Error> {
        let Implementation::Range { call: function, counter } = call.function.implementation else {
            return Err(call.wrong_arguments());
        };
        let mut pipeline = self.range_source(call, (function, counter), grid)?;
        // Names tell these series apart, even where they are dropped.
        pipeline.may_collide = false;
        pipeline.collect()
    }

    fn range_source<'q>(
        &'q self,
        call: &Call,
        (function, counter): (fn(&mut Window) -> f64, bool),
        grid: Grid,
    ) -> Result<Pipeline<'q>, Error> {
        let (matrix, params) = self.split_arguments(call, grid)?;
        let (samples, range_ms, reading, extended) = match &matrix.kind {
            ExprKind::Matrix { selector, range } => {
                check_extended(call, selector.extended)?;
                let range_ms = self.span.positive_ms(range)?;
                let reading = self.reading(&selector.modifiers)?;
                let (before, after) = margins(selector.extended, self.options.lookback_ms);
                let first = reading.time(grid.start).saturating_sub(range_ms).saturating_sub(before);
                let last = reading.time(grid.end()).saturating_add(after);
                (
                    RangeSamples::Stored(self.select(selector, first, last)?),
                    range_ms,
                    reading,
                    selector.extended,
                )
            }
            ExprKind::Subquery(subquery) => {
                let (rows, inner) = self.subquery(subquery, grid)?;
                let range_ms = self.span.positive_ms(&subquery.range)?;
                (
                    RangeSamples::Subquery { rows, grid: inner },
                    range_ms,
                    self.reading(&subquery.modifiers)?,
                    None,
                )
            }
            _ => return Err(Error::Execution(format!("{} expects a range vector", call.function.name))),
        };
        let heads = match &samples {
            RangeSamples::Stored(series) => heads_of(series.iter().map(Series::labels)),
            RangeSamples::Subquery { rows, .. } => {
                rows.iter().map(|row| Head { labels: row.labels.clone(), drop_name: row.drop_name }).collect()
            }
        };
        if !heads.is_empty() {
            check_factors(call, &params, grid.steps)?;
        }
        let mut read =
            RangeRead { call: function, counter, range_ms, reading, extended, params, not_counters: None };
        if ["rate", "increase"].contains(&call.function.name)
            && heads.iter().any(|head| !names_counter(&head.labels))
        {
            read.not_counters = Some((heads.iter().map(|head| head.labels.clone()).collect(), matrix.span));
        }
        let source = Source::Range { samples, read };
        let mut pipeline =
            Pipeline { query: self, grid, source, stages: Vec::new(), heads, may_collide: false };
        self.annotate_parameters(call, &pipeline);
        if !["last_over_time", "first_over_time"].contains(&call.function.name) {
            pipeline.drop_names();
        }
        Ok(pipeline)
    }

    /// The range vector among the arguments, and the scalars.
    fn split_arguments<'e>(&self, call: &Call<'e>, grid: Grid) -> Result<(&'e Expr, Vec<Scalars>), Error> {
        let mut matrix = None;
        let mut params = Vec::new();
        for arg in call.args {
            match self.analysis.value_type(arg) {
                ValueType::Matrix => matrix = Some(unwrap_parens(arg)),
                _ => params.push(self.scalars(arg, grid)?),
            }
        }
        let matrix = matrix
            .ok_or_else(|| Error::Execution(format!("{} expects a range vector", call.function.name)))?;
        Ok((matrix, params))
    }

    fn annotate_parameters(&self, call: &Call, pipeline: &Pipeline) {
        let Source::Range { read, .. } = &pipeline.source else { return };
        if call.function.name != "quantile_over_time" || pipeline.heads.is_empty() {
            return;
        }
        for quantile in read.params[0].iter(pipeline.grid.steps) {
            if !(0.0..=1.0).contains(&quantile) {
                self.annotate(Annotation::InvalidQuantile(quantile), call.args[0].span);
            }
        }
    }

    /// The rows of a subquery's expression over all steps that any of `grid` looks at.
    pub(crate) fn subquery(&self, subquery: &Subquery, grid: Grid) -> Result<(Vec<Row>, Grid), Error> {
        let range_ms = self.span.positive_ms(&subquery.range)?;
        let reading = self.reading(&subquery.modifiers)?;
        let step = match &subquery.step {
            Some(step) => self.span.positive_ms(step)?,
            None => self.options.subquery_step_ms,
        };
        let before = reading.time(grid.start).saturating_sub(range_ms);
        // Aligned to multiples of the step; whole division rounds towards zero, as Prometheus's does.
        let mut start = (before / step).saturating_mul(step);
        if start <= before {
            start = start.saturating_add(step);
        }
        let inner = Grid::range(start, reading.time(grid.end()), step);
        // Fails before the buffers of a hopeless number of steps are made.
        drop(self.budget.take(inner.steps)?);
        if inner.steps == 0 {
            return Ok((Vec::new(), inner));
        }
        match self.evaluate(&subquery.expr, inner)? {
            Node::Vector(rows) => Ok((rows, inner)),
            Node::Scalar(scalars) => {
                let mut values = self.budget.values(inner.steps)?;
                values.iter_mut().zip(scalars.iter(inner.steps)).for_each(|(cell, value)| *cell = value);
                Ok((vec![Row { labels: Labels::default(), drop_name: false, values }], inner))
            }
            Node::String(_) => Err(Error::Execution("a subquery of a string".into())),
        }
    }
}

fn heads_of<'l>(labels: impl Iterator<Item = &'l Labels>) -> Vec<Head> {
    labels.map(|labels| Head { labels: labels.clone(), drop_name: false }).collect()
}

/// Whether the name is one a counter may have, or missing.
fn names_counter(labels: &Labels) -> bool {
    let name = labels.name();
    name.is_empty() || ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix))
}

/// The factors of exponential smoothing lie inside (0, 1).
fn check_factors(call: &Call, params: &[Scalars], steps: usize) -> Result<(), Error> {
    if !["double_exponential_smoothing", "holt_winters"].contains(&call.function.name) {
        return Ok(());
    }
    for (param, (factor, sign)) in params.iter().zip([("smoothing factor", "sf"), ("trend factor", "tf")]) {
        if let Some(value) = param.iter(steps).find(|&value| value <= 0.0 || value >= 1.0) {
            return Err(Error::Execution(format!(
                "invalid {factor}. Expected: 0 < {sign} < 1, got: {value:.6}"
            )));
        }
    }
    Ok(())
}

fn check_extended(call: &Call, extended: Option<Extended>) -> Result<(), Error> {
    let (word, allowed): (&str, &[&str]) = match extended {
        None => return Ok(()),
        Some(Extended::Anchored) => ("anchored", &["changes", "delta", "increase", "rate", "resets"]),
        Some(Extended::Smoothed) => ("smoothed", &["delta", "increase", "rate"]),
    };
    if allowed.contains(&call.function.name) {
        return Ok(());
    }
    Err(Error::Execution(format!(
        "{word} modifier can only be used with: {} - not with {}",
        allowed.join(", "),
        call.function.name
    )))
}

impl Pipeline<'_> {
    /// Whether rows may have to be merged or refused before they are used.
    pub(crate) fn may_collide(&self) -> bool {
        self.may_collide
    }

    fn drop_names(&mut self) {
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

    /// Whether threads pay.
    pub(crate) fn is_large(&self) -> bool {
        self.heads.len() > 1 && self.heads.len() * (self.grid.steps + 16) >= PARALLEL_CELLS
    }

    /// All rows that have a sample.
    pub(crate) fn collect(mut self) -> Result<Vec<Row>, Error> {
        let ranged = matches!(self.source, Source::Range { .. });
        let rows = match std::mem::replace(&mut self.source, Source::Rows(Vec::new())) {
            Source::Rows(rows) => self.map_rows(rows)?,
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
    pub(crate) fn fill(&self, index: usize, scratch: &mut Scratch, out: &mut [f64]) -> Result<bool, Error> {
        self.query.check()?;
        match &self.source {
            Source::Rows(rows) => out.copy_from_slice(&rows[index].values),
            Source::Instant { series, reading, take, smoothed } => {
                self.query.read(&series[index], &mut scratch.samples)?;
                let lookback = self.query.options.lookback_ms;
                if *smoothed {
                    without_stale(&scratch.samples, &mut scratch.history);
                    read_smoothed(&scratch.history, *reading, lookback, self.grid, out);
                } else {
                    read_instant(&scratch.samples, (*reading, lookback, *take), self.grid, out);
                }
            }
            Source::Range { samples, read } => {
                match samples {
                    RangeSamples::Stored(series) => {
                        self.query.read(&series[index], &mut scratch.samples)?;
                        without_stale(&scratch.samples, &mut scratch.history);
                    }
                    RangeSamples::Subquery { rows, grid } => {
                        scratch.history.clear();
                        for (step, &value) in rows[index].values.iter().enumerate() {
                            if !is_absent(value) {
                                scratch.history.times.push(grid.time(step));
                                scratch.history.values.push(value);
                            }
                        }
                    }
                }
                self.fill_range(read, scratch, out)?;
                if let Some((labels, span)) = &read.not_counters {
                    self.note_not_counter(index, labels, *span, out);
                }
            }
        }
        self.apply_stages(scratch, out);
        Ok(out.iter().any(|&value| !is_absent(value)))
    }

    fn fill_range(&self, read: &RangeRead, scratch: &mut Scratch, out: &mut [f64]) -> Result<(), Error> {
        let Scratch { history, params, sorted, .. } = scratch;
        if read.counter && read.extended.is_none() {
            history.find_resets();
        }
        let (before, after) = margins(read.extended, self.query.options.lookback_ms);
        let mut slide = history.slide();
        params.clear();
        params.resize(read.params.len(), 0.0);
        for (step, cell) in out.iter_mut().enumerate() {
            if step % STEPS_PER_CHECK == STEPS_PER_CHECK - 1 {
                self.query.check()?;
            }
            let time = self.grid.time(step);
            let end = read.reading.time(time);
            let start = end.saturating_sub(read.range_ms);
            let (first, times, values) = slide.to(start.saturating_sub(before), end.saturating_add(after));
            if values.is_empty() {
                *cell = ABSENT;
                continue;
            }
            let resets = if read.counter { slide.resets() } else { &[] };
            for (param, scalars) in params.iter_mut().zip(&read.params) {
                *param = scalars.at(step);
            }
            *cell = (read.call)(&mut Window {
                times,
                values,
                start,
                end,
                time,
                params,
                resets,
                first,
                extended: read.extended,
                scratch: sorted,
            });
        }
        Ok(())
    }

    fn note_not_counter(&self, index: usize, labels: &[Labels], span: Span, out: &[f64]) {
        if names_counter(&labels[index]) || out.iter().all(|&value| is_absent(value)) {
            return;
        }
        self.query.annotate(Annotation::PossiblyNotCounter(labels[index].name().to_owned()), span);
    }

    fn apply_stages(&self, scratch: &mut Scratch, values: &mut [f64]) {
        for stage in &self.stages {
            match stage {
                Stage::Negate => map_present(values, |_, value| -value),
                Stage::Map(map) => map_present(values, |_, value| map(value)),
                Stage::MapWith(map, scalars) => {
                    let params = &mut scratch.params;
                    map_present(values, |step, value| {
                        params.clear();
                        params.extend(scalars.iter().map(|scalars| scalars.at(step)));
                        map(value, params)
                    });
                }
                Stage::Date(field) => map_present(values, |_, value| field(Moment::from_seconds(value))),
                Stage::Arithmetic(arithmetic, Operand { scalars, is_left: false }) => {
                    map_present(values, |step, value| arithmetic.apply(value, scalars.at(step)));
                }
                Stage::Arithmetic(arithmetic, Operand { scalars, is_left: true }) => {
                    map_present(values, |step, value| arithmetic.apply(scalars.at(step), value));
                }
                Stage::Comparison(comparison, operand, return_bool) => map_present(values, |step, value| {
                    let scalar = operand.scalars.at(step);
                    let (lhs, rhs) = if operand.is_left { (scalar, value) } else { (value, scalar) };
                    comparison.select(lhs, rhs, value, *return_bool)
                }),
            }
        }
    }
}

#[inline]
fn map_present(values: &mut [f64], mut map: impl FnMut(usize, f64) -> f64) {
    for (step, value) in values.iter_mut().enumerate() {
        if !is_absent(*value) {
            *value = map(step, *value);
        }
    }
}
