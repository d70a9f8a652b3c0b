//! Aggregations: series into groups, each group into one series.

use hashbrown::HashMap;
use rayon::prelude::*;
use streamflow_histogram::unboxed;
use streamflow_tsdb::{Labels, LabelsBuffer, METRIC_NAME};

use crate::annotations::Annotation;
use crate::ast::{Aggregate, AggregateOp, Span};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::accumulate::{
    Accumulate, Average, Count, Deviation, Group, Max, Min, Native, Sum, Variance,
};
use crate::eval::analysis::unwrap_parens;
use crate::eval::grid::{Column, Grid, Row, Scalars, is_absent};
use crate::eval::native_groups::NativeGroups;
use crate::eval::pipeline::{Pipeline, Scratch};
use crate::eval::quantile::quantile;

/// Cells of rows that are made before they are added up: a few of them fit into a core's cache.
const CHUNK_CELLS: usize = 128 * 1024;

/// The groups of a vector's series.
pub(crate) struct Groups {
    /// The group of each series.
    pub(crate) of_row: Vec<usize>,
    /// In the order of their first series.
    pub(crate) labels: Vec<Labels>,
    /// True if the name of any of a group's series waits to be dropped.
    pub(crate) drop_name: Vec<bool>,
}

impl Groups {
    pub(crate) fn of<'l>(
        series: impl Iterator<Item = (&'l Labels, bool)>,
        without: bool,
        grouping: &[String],
    ) -> Self {
        let names: Vec<&str> = grouping.iter().map(String::as_str).collect();
        let mut groups = Self { of_row: Vec::new(), labels: Vec::new(), drop_name: Vec::new() };
        let mut place: HashMap<Labels, usize> = HashMap::new();
        let dropped = [names.as_slice(), &[METRIC_NAME]].concat();
        let mut buffer = LabelsBuffer::default();
        for (labels, drop_name) in series {
            let group = match without {
                true => buffer.filter(labels, |name| !dropped.contains(&name)),
                false => buffer.filter(labels, |name| names.contains(&name)),
            };
            let known = place.get(&group).copied();
            let index = known.unwrap_or_else(|| {
                groups.labels.push(group.to_labels());
                groups.drop_name.push(false);
                place.insert(group.to_labels(), groups.labels.len() - 1);
                groups.labels.len() - 1
            });
            groups.of_row.push(index);
            groups.drop_name[index] |= drop_name;
        }
        groups
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }
}

/// The labels of the group that a series belongs to.
pub(crate) fn group_labels(labels: &Labels, without: bool, names: &[&str]) -> Labels {
    match (without, names.is_empty()) {
        (true, _) => labels.without(&[names, &[METRIC_NAME]].concat()),
        (false, true) => Labels::default(),
        (false, false) => labels.keep(names),
    }
}

impl RunningQuery<'_> {
    /// An aggregation at every step.
    pub(crate) fn aggregate(
        &self,
        (aggregate, span): (&Aggregate, Span),
        grid: Grid,
    ) -> Result<Vec<Row>, Error> {
        match aggregate.op {
            AggregateOp::Sum => self.accumulate::<Sum>(aggregate, grid),
            AggregateOp::Avg => self.accumulate::<Average>(aggregate, grid),
            AggregateOp::Count => self.accumulate::<Count>(aggregate, grid),
            AggregateOp::Group => self.accumulate::<Group>(aggregate, grid),
            AggregateOp::Min => self.accumulate::<Min>(aggregate, grid),
            AggregateOp::Max => self.accumulate::<Max>(aggregate, grid),
            AggregateOp::Stdvar => self.accumulate::<Variance>(aggregate, grid),
            AggregateOp::Stddev => self.accumulate::<Deviation>(aggregate, grid),
            AggregateOp::Quantile => self.quantile(aggregate, grid),
            AggregateOp::CountValues => self.count_values(aggregate, grid),
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => {
                self.pick((aggregate, span), grid)
            }
        }
    }

    /// The parameter at every step and where it stands.
    pub(crate) fn parameter(&self, aggregate: &Aggregate, grid: Grid) -> Result<(Scalars, Span), Error> {
        let param = aggregate.param.as_ref().map(unwrap_parens);
        let param = param.ok_or_else(|| Error::Execution(format!("{:?} needs a parameter", aggregate.op)))?;
        Ok((self.scalars(param, grid)?, param.span))
    }

    fn accumulate<A: Accumulate>(&self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Row>, Error> {
        let mut pipeline = self.pipeline(unwrap_parens(&aggregate.expr), grid)?;
        if pipeline.may_collide {
            let rows = pipeline.collect()?;
            pipeline = self.pipeline_of(rows, grid);
        }
        let heads = pipeline.heads.iter().map(|head| (&head.labels, head.drop_name));
        let groups = Groups::of(heads, aggregate.without, &aggregate.grouping);
        let cell_size = size_of::<A>().div_ceil(size_of::<f64>());
        let _charge = self.budget.take(groups.len().saturating_mul(grid.steps).saturating_mul(cell_size))?;
        let mut cells: Vec<Vec<A>> = vec![vec![A::EMPTY; grid.steps]; groups.len()];
        let span = aggregate.expr.span;
        let mut native = NativeGroups::new(A::NATIVE, span, groups.len(), grid.steps);
        let name = aggregate.op.as_str();
        if pipeline.is_large() {
            fold_in_chunks(&pipeline, &groups, &mut cells, |index, row| {
                native.add_row(self, groups.of_row[index], row, (pipeline.heads[index].labels.name(), name));
            })?;
        } else {
            let mut scratch = Scratch::default();
            let mut row = self.budget.values(grid.steps)?;
            for (index, &group) in groups.of_row.iter().enumerate() {
                if pipeline.fill(index, &mut scratch, &mut row)? {
                    add_row(&mut cells[group], &row, row.has_histograms());
                    native.add_row(self, group, &row, (pipeline.heads[index].labels.name(), name));
                }
            }
        }
        self.group_rows(groups, grid, |group, values| {
            values.iter_mut().zip(&cells[group]).for_each(|(value, cell)| *value = cell.get());
            native.finish(self, group, values);
        })
    }

    /// A row for each group that `fill` finds a sample for.
    fn group_rows(
        &self,
        groups: Groups,
        grid: Grid,
        mut fill: impl FnMut(usize, &mut Column),
    ) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::with_capacity(groups.len());
        for (group, (labels, drop_name)) in groups.labels.into_iter().zip(groups.drop_name).enumerate() {
            let mut values = self.budget.values(grid.steps)?;
            fill(group, &mut values);
            values.weigh()?;
            if values.any_present() {
                rows.push(Row { labels, drop_name, values });
            }
        }
        Ok(rows)
    }

    fn quantile(&self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Row>, Error> {
        let (quantiles, span) = self.parameter(aggregate, grid)?;
        let mut rows = self.rows(&aggregate.expr, grid)?;
        self.ignore_histograms(&mut rows, aggregate.op, aggregate.expr.span);
        if !rows.is_empty() {
            self.note_invalid_quantiles(&quantiles, grid, span);
        }
        let heads = rows.iter().map(|row| (&row.labels, row.drop_name));
        let groups = Groups::of(heads, aggregate.without, &aggregate.grouping);
        let mut members = vec![Vec::new(); groups.len()];
        for (row, &group) in groups.of_row.iter().enumerate() {
            members[group].push(row);
        }
        let mut column = Vec::new();
        self.group_rows(groups, grid, |group, values| {
            for (step, cell) in values.iter_mut().enumerate() {
                column.clear();
                column.extend(
                    members[group].iter().map(|&row| rows[row].values[step]).filter(|&v| !is_absent(v)),
                );
                if !column.is_empty() {
                    *cell = quantile(quantiles.at(step), &mut column);
                }
            }
        })
    }

    /// Leaves numbers only.
    pub(crate) fn ignore_histograms(&self, rows: &mut [Row], op: AggregateOp, span: Span) {
        let mut any = false;
        rows.iter_mut().for_each(|row| any |= row.values.keep_numbers());
        if any {
            self.annotate(Annotation::IgnoredInAggregation(op.as_str()), span);
        }
    }

    /// Prometheus names the extremes only.
    fn note_invalid_quantiles(&self, quantiles: &Scalars, grid: Grid, span: Span) {
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for quantile in quantiles.iter(grid.steps) {
            if quantile.is_nan() {
                self.annotate(Annotation::InvalidQuantile(quantile), span);
            }
            (min, max) = (min.min(quantile), max.max(quantile));
        }
        if max > 1.0 {
            self.annotate(Annotation::InvalidQuantile(max), span);
        }
        if min < 0.0 {
            self.annotate(Annotation::InvalidQuantile(min), span);
        }
    }
}

#[inline]
fn add_row<A: Accumulate>(cells: &mut [A], values: &[f64], has_histograms: bool) {
    let cells = cells.iter_mut().zip(values);
    if has_histograms && A::NATIVE != Native::Counted {
        let numbers = cells.filter(|(_, value)| unboxed(**value).is_none());
        numbers.filter(|(_, value)| !is_absent(**value)).for_each(|(cell, &value)| cell.add(value));
        return;
    }
    for (cell, &value) in cells {
        if !is_absent(value) {
            cell.add(value);
        }
    }
}

/// Makes some rows on all cores, then adds them up with the steps divided among the cores. So every cell sees the
/// series in their order, and the sum is the same to the last bit however many cores there are.
fn fold_in_chunks<A: Accumulate>(
    pipeline: &Pipeline,
    groups: &Groups,
    cells: &mut [Vec<A>],
    mut native: impl FnMut(usize, &Column),
) -> Result<(), Error> {
    let steps = pipeline.grid.steps;
    let parts = rayon::current_num_threads().clamp(1, steps.max(1));
    let part_steps = steps.div_ceil(parts).max(1);
    let mut blocks: Vec<Vec<&mut [A]>> = (0..parts).map(|_| Vec::with_capacity(cells.len())).collect();
    for group in cells {
        let mut rest = group.as_mut_slice();
        for block in &mut blocks {
            let (head, tail) = rest.split_at_mut(part_steps.min(rest.len()));
            block.push(head);
            rest = tail;
        }
    }
    let rows = pipeline.heads.len();
    let chunk_rows = (CHUNK_CELLS / steps.max(1)).clamp(2, 1024).min(rows.max(1));
    let _charge = pipeline.query.budget.take(chunk_rows.saturating_mul(steps))?;
    let mut buffers = vec![Column::absent(steps); chunk_rows];
    for start in (0..rows).step_by(chunk_rows) {
        let count = chunk_rows.min(rows - start);
        let present: Vec<bool> = buffers[..count]
            .par_iter_mut()
            .enumerate()
            .map_init(Scratch::default, |scratch, (offset, buffer)| {
                pipeline.fill(start + offset, scratch, buffer)
            })
            .collect::<Result<_, _>>()?;
        blocks.par_iter_mut().enumerate().for_each(|(part, block)| {
            let from = (part * part_steps).min(steps);
            let to = (from + part_steps).min(steps);
            for (offset, buffer) in buffers[..count].iter().enumerate() {
                if present[offset] {
                    let cells = &mut block[groups.of_row[start + offset]];
                    add_row(cells, &buffer[from..to], buffer.has_histograms());
                }
            }
        });
        let rows = buffers[..count].iter().enumerate().filter(|(offset, _)| present[*offset]);
        rows.for_each(|(offset, buffer)| native(start + offset, buffer));
    }
    Ok(())
}
