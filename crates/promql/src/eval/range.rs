//! Functions of the samples in a range before each step.

use std::sync::Arc;

use streamflow_histogram::{Histogram, unboxed};
use streamflow_tsdb::{Labels, Series};

use crate::annotations::Annotation;
use crate::ast::{Expr, ExprKind, Extended, Span, Subquery, ValueType};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::analysis::unwrap_parens;
use crate::eval::grid::{ABSENT, Column, Grid, Node, Row, Sample, Scalars, is_absent};
use crate::eval::pipeline::{Pipeline, Scratch};
use crate::eval::ranges::Ranges;
use crate::eval::selector::{Reading, margins, without_stale};
use crate::eval::source::{Head, RangeRead, RangeSamples, RowSource, heads_of};
use crate::eval::window::{History, NativeWindow, Window};
use crate::function::{Call, Implementation, OnHistograms, RangeFunction};
use crate::functions::slopes;

/// Steps between two questions whether to go on.
pub(super) const STEPS_PER_CHECK: usize = 512;

impl RunningQuery<'_> {
    /// The series of a function of a range at every step.
    pub(crate) fn range_rows(&self, call: &Call, grid: Grid) -> Result<Vec<Row>, Error> {
        let Implementation::Range(function) = call.function.implementation else {
            return Err(call.wrong_arguments());
        };
        let mut pipeline = self.range_source(call, function, grid)?;
        // Names tell these series apart, even where they are dropped.
        pipeline.may_collide = false;
        pipeline.collect()
    }

    pub(crate) fn range_source<'q>(
        &'q self,
        call: &Call,
        function: RangeFunction,
        grid: Grid,
    ) -> Result<Pipeline<'q>, Error> {
        let (matrix, params) = self.split_arguments(call, grid)?;
        let (samples, range_ms, reading, extended) = self.samples_in_range(call, matrix, grid)?;
        let heads = match &samples {
            RangeSamples::Stored(series) => heads_of(series.iter().map(Series::labels)),
            RangeSamples::Subquery { rows, .. } => {
                rows.iter().map(|row| Head { labels: row.labels.clone(), drop_name: row.drop_name }).collect()
            }
        };
        if !heads.is_empty() {
            check_factors(call, &params, grid.steps)?;
        }
        let mut read = RangeRead {
            function,
            name: call.function.name,
            span: remark_span(call, matrix),
            finds_resets: matches!(&matrix.kind, ExprKind::Matrix { selector, .. } if self.analysis.finds_resets(selector)),
            range_ms,
            reading,
            extended,
            params,
            not_counters: None,
        };
        if ["rate", "increase"].contains(&call.function.name)
            && heads.iter().any(|head| !names_counter(&head.labels))
        {
            read.not_counters = Some((heads.iter().map(|head| head.labels.clone()).collect(), read.span));
        }
        let source = RowSource::Range { samples, read };
        let mut pipeline = Pipeline::new(self, grid, source, heads);
        self.annotate_parameters(call, &pipeline);
        if !["last_over_time", "first_over_time"].contains(&call.function.name) {
            pipeline.drop_names();
        }
        Ok(pipeline)
    }

    /// The samples that any step looks at, the length of the range, when it is read, and how it is extended.
    fn samples_in_range(
        &self,
        call: &Call,
        matrix: &Expr,
        grid: Grid,
    ) -> Result<(RangeSamples, i64, Reading, Option<Extended>), Error> {
        Ok(match &matrix.kind {
            ExprKind::Matrix { selector, range } => {
                check_extended(call, selector.extended)?;
                let range_ms = self.whole.positive_ms(range)?;
                let reading = self.reading(&selector.modifiers)?;
                let (before, after) = margins(selector.extended, self.options.lookback_ms);
                let first = reading.time(grid.start_ms).saturating_sub(range_ms).saturating_sub(before);
                let last = reading.time(grid.last()).saturating_add(after);
                (
                    RangeSamples::Stored(self.select(selector, (first, last), (grid.step_ms, range_ms))?),
                    range_ms,
                    reading,
                    selector.extended,
                )
            }
            ExprKind::Subquery(subquery) => {
                let (rows, inner) = self.subquery(subquery, grid)?;
                let range_ms = self.whole.positive_ms(&subquery.range)?;
                (
                    RangeSamples::Subquery { rows, grid: inner },
                    range_ms,
                    self.reading(&subquery.modifiers)?,
                    None,
                )
            }
            _ => return Err(Error::Execution(format!("{} expects a range vector", call.function.name))),
        })
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
        let RowSource::Range { read, .. } = &pipeline.source else { return };
        if call.function.name != "quantile_over_time" || pipeline.heads.is_empty() {
            return;
        }
        for quantile in read.params[0].iter(pipeline.grid.steps) {
            if !(0.0..=1.0).contains(&quantile) {
                self.annotate(Annotation::InvalidQuantile(quantile), call.args[0].span);
            }
        }
    }

    /// All steps of a subquery that any of `grid` looks at.
    pub(crate) fn steps_within(&self, subquery: &Subquery, grid: Grid) -> Result<Grid, Error> {
        let range_ms = self.whole.positive_ms(&subquery.range)?;
        let reading = self.reading(&subquery.modifiers)?;
        let step = match &subquery.step {
            Some(step) => self.whole.positive_ms(step)?,
            None => self.options.subquery_step_ms,
        };
        let before = reading.time(grid.start_ms).saturating_sub(range_ms);
        // Aligned to multiples of the step; whole division rounds towards zero, as Prometheus's does.
        let mut start = (before / step).saturating_mul(step);
        if start <= before {
            start = start.saturating_add(step);
        }
        Ok(Grid::every(step, start, reading.time(grid.last())))
    }

    /// The rows of a subquery's expression over all steps that any of `grid` looks at.
    pub(crate) fn subquery(&self, subquery: &Subquery, grid: Grid) -> Result<(Vec<Row>, Grid), Error> {
        let inner = self.steps_within(subquery, grid)?;
        // Fails before the buffers of a hopeless number of steps are made. Where no series is there, none are needed.
        if let Err(error) = self.budget.take(inner.steps) {
            let nothing = Grid { steps: 0, ..inner };
            return if self.selects_nothing(&subquery.expr, inner)? {
                Ok((Vec::new(), nothing))
            } else {
                Err(error)
            };
        }
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

/// Where remarks on a range stand: Prometheus names the first argument, and of a subquery the start of the query.
fn remark_span(call: &Call, matrix: &Expr) -> Span {
    match (&matrix.kind, call.args) {
        (ExprKind::Subquery(_), _) => Span { start: 0, end: 0 },
        (_, [_]) => matrix.span,
        (_, args) => args.first().map_or(matrix.span, |first| first.span),
    }
}

/// What a function makes of a window with histograms; `window` is the same window.
fn call_with_histograms(
    function: RangeFunction,
    native: &NativeWindow,
    window: &mut Window,
) -> Option<Sample> {
    let value = match function.native {
        OnHistograms::Takes(call) => return call(native),
        OnHistograms::Passes => (function.call)(window),
        OnHistograms::Ignores => {
            let numbers = |place: &usize| native.histogram(*place).is_none();
            let (times, values): (Vec<i64>, Vec<f64>) = (0..native.values.len())
                .filter(numbers)
                .map(|place| (native.times[place], native.values[place]))
                .unzip();
            if values.is_empty() {
                return None;
            }
            native.remark(Annotation::IgnoredInRange(native.metric.to_owned()));
            (function.call)(&mut Window {
                times: &times,
                values: &values,
                starts: &[],
                scratch: window.scratch,
                ..*window
            })
        }
    };
    match unboxed(value).and_then(|place| native.histograms.get(place)) {
        Some(histogram) => Some(Sample::Histogram(Arc::clone(histogram))),
        None => (!is_absent(value)).then_some(Sample::Number(value)),
    }
}

/// Tells whether the name is one a counter may have, or missing.
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
    /// Puts the samples of row `index` into the scratch's history.
    pub(crate) fn read_history(
        &self,
        index: usize,
        (samples, read): (&RangeSamples, &RangeRead),
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        scratch.rows.clear();
        match samples {
            RangeSamples::Stored(series) => {
                let of_ends = read.function.of_histogram_ends && read.extended.is_none();
                let (reading, range_ms, grid) = (read.reading, read.range_ms, self.grid);
                let ranges = of_ends.then_some(Ranges { reading, range_ms, grid });
                if self.query.read(&series[index], read.finds_resets, ranges, scratch)? {
                    self.read_older(read, scratch);
                } else {
                    without_stale(&mut scratch.samples, &mut scratch.history);
                }
            }
            RangeSamples::Subquery { rows, grid } => {
                scratch.history.clear();
                for (step, &value) in rows[index].values.iter().enumerate() {
                    if !is_absent(value) {
                        scratch.history.times.push(grid.time(step));
                        scratch.history.values.push(value);
                    }
                }
                scratch.history.histograms.clone_from(rows[index].values.list());
                // A subquery has values alone.
                scratch.history.trusts_hints = false;
            }
        }
        Ok(())
    }

    /// Calls the function at every step.
    pub(crate) fn fill_range(
        &self,
        read: &RangeRead,
        metric: &str,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), Error> {
        let Scratch { history, params, sorted, .. } = scratch;
        let has_histograms = !history.histograms.is_empty();
        let function = read.function;
        if function.counter.is_some() && read.extended.is_none() {
            history.find_resets();
            if !has_histograms && history.starts.is_empty() {
                return self.fill_slopes(read, history, out);
            }
        }
        let (before, after) = margins(read.extended, self.query.options.lookback_ms);
        let mut slide = history.slide();
        params.clear();
        params.resize(read.params.len(), 0.0);
        for step in 0..out.len() {
            if step % STEPS_PER_CHECK == STEPS_PER_CHECK - 1 {
                self.query.check()?;
            }
            let time = self.grid.time(step);
            let end = read.reading.time(time);
            let start = end.saturating_sub(read.range_ms);
            let (first, times, values) = slide.to(start.saturating_sub(before), end.saturating_add(after));
            if values.is_empty() {
                out[step] = ABSENT;
                continue;
            }
            let resets = if function.counter.is_some() { slide.resets() } else { &[] };
            for (param, scalars) in params.iter_mut().zip(&read.params) {
                *param = scalars.at(step);
            }
            let extended = read.extended;
            let starts = history.starts.get(first..first + times.len()).unwrap_or_default();
            if function.counter.is_some() && extended.is_none() && history.overlaps_within(first, times.len())
            {
                self.query.annotate(Annotation::StartsOverlap(metric.to_owned()), read.span);
            }
            let scratch = &mut *sorted;
            let mut window =
                Window { times, values, start, end, time, params, starts, resets, first, extended, scratch };
            if !has_histograms || values.iter().all(|&value| unboxed(value).is_none()) {
                out[step] = (function.call)(&mut window);
                continue;
            }
            let sample =
                self.native_sample(read, metric, (&history.histograms, history.trusts_hints), &mut window);
            out.put(step, sample);
        }
        Ok(())
    }

    /// The slope of a counter at every step, from numbers alone.
    fn fill_slopes(&self, read: &RangeRead, history: &History, out: &mut Column) -> Result<(), Error> {
        let Some(per) = read.function.counter else { return Ok(()) };
        let mut slide = history.slide();
        let mut ranges = (0..out.len()).map(|step| {
            let end = read.reading.time(self.grid.time(step));
            (end.saturating_sub(read.range_ms), end)
        });
        for cells in out.chunks_mut(STEPS_PER_CHECK) {
            self.query.check()?;
            slopes(&mut slide, per, (ranges.by_ref(), read.range_ms), cells);
        }
        Ok(())
    }

    /// What the function makes of a window with histograms.
    fn native_sample(
        &self,
        read: &RangeRead,
        metric: &str,
        (histograms, trusts_hints): (&[Arc<Histogram>], bool),
        window: &mut Window,
    ) -> Option<Sample> {
        let native = NativeWindow {
            query: self.query,
            metric,
            span: read.span,
            times: window.times,
            values: window.values,
            starts: window.starts,
            histograms,
            trusts_hints,
            start: window.start,
            end: window.end,
            extended: window.extended,
        };
        call_with_histograms(read.function, &native, window)
    }

    /// Remarks on a result of a series that is no counter by its name.
    pub(crate) fn note_not_counter(&self, index: usize, read: &RangeRead, out: &[f64]) {
        let Some((labels, span)) = &read.not_counters else { return };
        let is_number = |value: f64| !is_absent(value) && unboxed(value).is_none();
        if names_counter(&labels[index]) || !out.iter().any(|&value| is_number(value)) {
            return;
        }
        self.query.annotate(Annotation::PossiblyNotCounter(labels[index].name().to_owned()), *span);
    }
}
