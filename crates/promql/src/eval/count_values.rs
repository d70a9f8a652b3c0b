//! `count_values`: how often each value occurs.

use std::collections::HashMap;

use streamflow_gotext::fixed;
use streamflow_tsdb::Labels;

use crate::ast::Aggregate;
use crate::error::Error;
use crate::eval::aggregate::group_labels;
use crate::eval::grid::{Grid, Row, is_absent};
use crate::eval::{RunningQuery, string_argument};
use crate::parser::is_utf8;

impl RunningQuery<'_> {
    pub(crate) fn count_values(&self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Row>, Error> {
        let label = match &aggregate.param {
            Some(param) => string_argument(param)?,
            None => return Err(Error::Execution("count_values needs a label name".into())),
        };
        if label.is_empty() || !is_utf8(label) {
            return Err(Error::Execution(format!("invalid label name {label:?}")));
        }
        let mut names: Vec<&str> = aggregate.grouping.iter().map(String::as_str).collect();
        if !aggregate.without {
            names.push(label);
        }
        let mut counted: Vec<Row> = Vec::new();
        let mut place: HashMap<Labels, usize> = HashMap::new();
        for row in self.rows(&aggregate.expr, grid)? {
            self.check()?;
            let mut known: HashMap<u64, usize> = HashMap::new();
            for (step, &value) in row.values.iter().enumerate().filter(|(_, value)| !is_absent(**value)) {
                let index = match known.get(&value.to_bits()) {
                    Some(&index) => index,
                    None => {
                        let text = match row.values.histogram(step) {
                            Some(histogram) => histogram.to_string(),
                            None => fixed(value, None),
                        };
                        let labelled = row.labels.with(label, &text);
                        let group = group_labels(&labelled, aggregate.without, &names);
                        let index = match place.get(&group) {
                            Some(&index) => index,
                            None => {
                                let values = self.budget.values(grid.steps)?;
                                counted.push(Row { labels: group.clone(), drop_name: false, values });
                                place.insert(group, counted.len() - 1);
                                counted.len() - 1
                            }
                        };
                        known.insert(value.to_bits(), index);
                        index
                    }
                };
                let cell = &mut counted[index].values[step];
                *cell = if is_absent(*cell) { 1.0 } else { *cell + 1.0 };
            }
        }
        Ok(counted)
    }
}
