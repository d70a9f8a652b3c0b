//! What the engine says of the columns of a table.

use futures_util::{StreamExt as _, TryStreamExt as _};
use streamflow_compare::Summary;
use streamflow_dataset::{Counts, Numbers, StoredTable, Unparseable, ValueCounts};
use streamflow_drift::{
    COUNTS_LIMIT, Column, ColumnQueries, Kind, MAX_LABEL_BYTES, SQL_BITS, SqlDialect, totals,
};

use crate::answer::{Answer, Values, counts};
use crate::engine::Engine;
use crate::error::Error;

/// Columns of which one query counts the values that are there.
const TOTALS_AT_ONCE: usize = 200;

/// A column and where it is asked for.
struct Asked<'a> {
    /// As errors name it.
    table: &'a str,
    /// As the engine names it.
    registered: &'a str,
    name: &'a str,
    kind: Kind,
    /// Rows of the table, and those of them that have a value.
    rows: u64,
    present: u64,
}

impl Engine {
    /// The named columns, in this order; `done` is called once for each.
    ///
    /// # Errors
    /// As the engine has it; [`Error::OtherTable`] where it does not see the rows that the files have. The engine ends the
    /// queries that nobody waits for after an error.
    pub async fn summarise(
        &self,
        table: &StoredTable,
        names: &[&str],
        done: &(dyn Fn() + Sync),
    ) -> Result<Vec<Summary>, Error> {
        let summaries = self.ask(table, names, done).await;
        if summaries.is_err() {
            self.cancel().await;
        }
        summaries
    }

    async fn ask(
        &self,
        table: &StoredTable,
        names: &[&str],
        done: &(dyn Fn() + Sync),
    ) -> Result<Vec<Summary>, Error> {
        let registered = self.register(table).await?;
        let kinds = names.iter().map(|name| kind(table, name)).collect::<Result<Vec<_>, _>>()?;
        let (rows, present) = self.totals(table, &registered, names).await?;
        if rows != table.rows {
            let (engine, table_name) = (self.target.to_string(), table.name.clone());
            return Err(Error::OtherTable { engine, table: table_name, expected: table.rows, found: rows });
        }
        let asked = names.iter().zip(kinds).zip(present).map(|((&name, kind), present)| Asked {
            table: &table.name,
            registered: &registered,
            name,
            kind,
            rows,
            present,
        });
        let summaries = asked.map(async |asked| self.column(&asked).await.inspect(|_| done()));
        futures_util::stream::iter(summaries).buffered(self.at_once()).try_collect().await
    }

    async fn totals(
        &self,
        table: &StoredTable,
        registered: &str,
        names: &[&str],
    ) -> Result<(u64, Vec<u64>), Error> {
        let (mut rows, mut present) = (0, Vec::with_capacity(names.len()));
        for names in names.chunks(TOTALS_AT_ONCE) {
            let sql = totals(SqlDialect::DataFusion, registered, names.iter().copied());
            let take = |batch: &datafusion::arrow::array::RecordBatch| {
                for (place, column) in batch.columns().iter().enumerate() {
                    let counts = counts(column)?;
                    if place == 0 {
                        rows = counts.iter().sum();
                    } else {
                        present.extend(counts);
                    }
                }
                Ok(true)
            };
            self.query(&sql, &table.name, take).await?;
        }
        Ok((rows, present))
    }

    async fn column(&self, asked: &Asked<'_>) -> Result<Summary, Error> {
        let Asked { name, kind, rows, present, .. } = *asked;
        let queries =
            ColumnQueries { dialect: SqlDialect::DataFusion, table: asked.registered, column: name, kind };
        let are_few = |answer: &Answer| answer.groups < COUNTS_LIMIT && answer.text_bytes <= MAX_LABEL_BYTES;
        if let Some(answer) = self.answer(&queries.counts(), asked, kind, are_few).await? {
            asked.check(&answer)?;
            return Ok(Summary::Counted(counted(name, answer)));
        }
        let missing = rows.saturating_sub(present);
        Ok(Summary::Bounded(match kind {
            Kind::Text | Kind::Boolean => Column::uncounted_text(name, missing, present),
            Kind::Date => Column::counted_dates(name, missing, present),
            Kind::Float | Kind::Integer => {
                let answer = self.answer(&queries.histogram(), asked, Kind::Float, |_| true).await?;
                let answer = answer.unwrap_or_else(|| Answer::new(Kind::Float));
                asked.check(&answer)?;
                // As pandas has it, whole numbers with a missing value are floats.
                let whole = kind == Kind::Integer && answer.missing == 0;
                let Values::Float(counts) = answer.values else {
                    return Ok(Summary::Bounded(Column::uncounted_text(name, missing, present)));
                };
                Column::rounded_numbers(name, answer.missing, whole, SQL_BITS, counts)?
            }
        }))
    }

    /// The answer to a query; none when it has come to more than is `wanted`.
    async fn answer(
        &self,
        sql: &str,
        asked: &Asked<'_>,
        kind: Kind,
        wanted: fn(&Answer) -> bool,
    ) -> Result<Option<Answer>, Error> {
        let mut answer = Answer::new(kind);
        let subject = format!("column {:?} of {}", asked.name, asked.table);
        let take = |batch: &datafusion::arrow::array::RecordBatch| {
            answer.add(batch)?;
            Ok(wanted(&answer))
        };
        let whole = self.query(sql, &subject, take).await?;
        Ok(whole.map(|()| answer))
    }
}

impl Asked<'_> {
    /// Holds the sum of the counts against the rows of the table.
    fn check(&self, answer: &Answer) -> Result<(), Error> {
        let found = answer.rows();
        if found == self.rows {
            return Ok(());
        }
        Err(Error::Torn {
            column: self.name.to_owned(),
            table: self.table.to_owned(),
            expected: self.rows,
            found,
        })
    }
}

fn kind(table: &StoredTable, name: &str) -> Result<Kind, Error> {
    let found = table.columns.iter().find(|(column, _)| column == name);
    let no_column = || Error::NoColumn { column: name.to_owned(), table: table.name.clone() };
    found.map(|(_, column_type)| streamflow_compare::kind(*column_type)).ok_or_else(no_column)
}

/// What counting the file would have given.
pub(crate) fn counted(name: &str, answer: Answer) -> ValueCounts {
    let mut missing = answer.missing;
    let values = match answer.values {
        Values::Float(mut counts) => {
            missing += counts.iter().filter(|(value, _)| value.is_nan()).map(|(_, n)| n).sum::<u64>();
            counts.retain(|(value, _)| !value.is_nan());
            // Adding zero makes negative zero the same value.
            counts.iter_mut().for_each(|(value, _)| *value += 0.0);
            Counts::Float(Numbers { counts, rows: Vec::new() })
        }
        // As pandas has it, whole numbers with a missing value are floats.
        Values::Integer(counts) if missing > 0 => {
            let counts = counts.into_iter().map(|(value, n)| (value as f64, n)).collect();
            Counts::Float(Numbers { counts, rows: Vec::new() })
        }
        Values::Integer(counts) => Counts::Integer(Numbers { counts, rows: Vec::new() }),
        Values::Boolean(counts) => Counts::Boolean(counts),
        Values::Text(counts) => Counts::Text(counts),
        Values::Date(counts) => Counts::Date(counts),
    };
    ValueCounts { name: name.to_owned(), missing, unparseable: Unparseable::default(), values }
}
