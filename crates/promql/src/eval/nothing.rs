//! Whether an expression has no rows, told by its selectors alone.

use crate::ast::{BinaryOp, Expr, ExprKind, ValueType, VectorSelector};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::analysis::children;
use crate::eval::grid::Grid;
use crate::eval::selector::margins;

impl RunningQuery<'_> {
    /// Tells whether the expression has no rows since the selector that its rows come from finds no series. Of some
    /// expressions that is not told: `false` says nothing.
    ///
    /// # Errors
    /// When the store cannot be read, or a duration is none.
    pub(crate) fn selects_nothing(&self, expr: &Expr, grid: Grid) -> Result<bool, Error> {
        let (mut expr, mut grid) = (expr, grid);
        loop {
            match &expr.kind {
                ExprKind::Vector(selector) => return self.finds_nothing(selector, 0, grid),
                ExprKind::Matrix { selector, range } => {
                    return self.finds_nothing(selector, self.whole.positive_ms(range)?, grid);
                }
                ExprKind::Subquery(subquery) => grid = self.steps_within(subquery, grid)?,
                _ => {}
            }
            match self.source_of_rows(expr) {
                Some(source) => expr = source,
                None => return Ok(false),
            }
        }
    }

    fn finds_nothing(&self, selector: &VectorSelector, range_ms: i64, grid: Grid) -> Result<bool, Error> {
        let reading = self.reading(&selector.modifiers)?;
        let lookback_ms = self.options.lookback_ms;
        let (before, after) = margins(selector.extended, lookback_ms);
        let before = before.max(lookback_ms).saturating_add(range_ms);
        let first = reading.time(grid.start_ms).saturating_sub(before);
        let last = reading.time(grid.last()).saturating_add(after);
        Ok(self.select(selector, (first, last), (grid.step_ms, range_ms))?.is_empty())
    }

    /// The part without whose rows the expression has none.
    fn source_of_rows<'e>(&self, expr: &'e Expr) -> Option<&'e Expr> {
        let mut rows = children(expr)
            .filter(|part| matches!(self.analysis.value_type(part), ValueType::Vector | ValueType::Matrix));
        match &expr.kind {
            ExprKind::Call { function, .. } => {
                let of_nothing = ["absent", "absent_over_time"].contains(&function.name);
                rows.next().filter(|_| function.returns == ValueType::Vector && !of_nothing)
            }
            ExprKind::Binary(binary) if binary.op == BinaryOp::Or => None,
            // Of two vectors the left one: without its rows there are none, whatever the operator but `or` is.
            _ => rows.next(),
        }
    }
}
