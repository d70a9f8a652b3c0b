//! A small table that the engine counts before it is trusted: every edge of the queries, on rows that are in the query.

use streamflow_drift::{Column, ColumnQueries, Kind, SQL_BITS, SqlDialect};

use crate::answer::{Answer, Values};
use crate::engine::Engine;
use crate::error::Error;

const VIEW: &str = "streamflow_canary";

/// Numbers about which an engine may round otherwise: powers of two and their neighbours, ends of the range, no numbers.
fn numbers() -> Vec<Option<f64>> {
    let powers = [-40, -1, 0, 1, 3, 10, 52, 53, 900];
    let powers = powers.into_iter().map(|exponent| 2_f64.powi(exponent));
    let about = powers.flat_map(|power| [power, power.next_down(), power.next_up(), power * 1.3]);
    let signed = about.flat_map(|number| [number, -number, number]);
    let special =
        [0.0, -0.0, 5e-324, -1e-300, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let present = signed.chain(special).chain((0..40).map(|i| 100.0 + f64::from(i % 7) * 0.1));
    present.map(Some).chain([None, None, None]).collect()
}

fn whole(row: usize) -> Option<i64> {
    match row % 5 {
        0 => None,
        1 => i64::MAX.checked_sub(row as i64),
        _ => Some(row as i64 % 11),
    }
}

fn word(row: usize) -> Option<String> {
    (!row.is_multiple_of(6)).then(|| ["", "a", "A", "ä", "it's"][row % 5].to_owned())
}

/// Holds the engine's counts of the canary against this machine's.
pub(crate) async fn check(engine: &Engine) -> Result<(), Error> {
    let numbers = numbers();
    engine.query(&view(&numbers), "the canary", |_| Ok(true)).await?;
    let missing = numbers.iter().filter(|number| number.is_none()).count() as u64;
    let each: Vec<(f64, u64)> = numbers.iter().flatten().map(|number| (*number, 1)).collect();

    let queries = queries("number", Kind::Float);
    let found = floats(engine, &queries.counts()).await?;
    let expected = Column::counted_floats("number", missing, each.clone(), Vec::new())?;
    let counts = Column::counted_floats("number", found.0, found.1, Vec::new())?;
    same(engine, "the numbers", &expected, &counts)?;

    let found = floats(engine, &queries.histogram()).await?;
    let expected = Column::rounded_numbers("number", missing, false, SQL_BITS, each)?;
    let counts = Column::rounded_numbers("number", found.0, false, SQL_BITS, found.1)?;
    same(engine, "the rounded numbers", &expected, &counts)?;

    others(engine, numbers.len()).await
}

async fn others(engine: &Engine, rows: usize) -> Result<(), Error> {
    let each = (0..rows).filter_map(whole).map(|value| (value, 1)).collect();
    let missing = (0..rows).filter(|row| whole(*row).is_none()).count() as u64;
    let expected = Column::counted_integers("whole", missing, each, Vec::new());
    let answer = answer(engine, &queries("whole", Kind::Integer).counts(), Kind::Integer).await?;
    let Values::Integer(counts) = answer.values else { return Ok(()) };
    let found = Column::counted_integers("whole", answer.missing, counts, Vec::new());
    same(engine, "the whole numbers", &expected, &found)?;

    let each = (0..rows).filter_map(word).map(|value| (value, 1)).collect();
    let missing = (0..rows).filter(|row| word(*row).is_none()).count() as u64;
    let expected = Column::counted_text("word", missing, each);
    let answer = self::answer(engine, &queries("word", Kind::Text).counts(), Kind::Text).await?;
    let Values::Text(counts) = answer.values else { return Ok(()) };
    same(engine, "the strings", &expected, &Column::counted_text("word", answer.missing, counts))
}

fn queries(column: &'static str, kind: Kind) -> ColumnQueries<'static> {
    ColumnQueries { dialect: SqlDialect::DataFusion, table: VIEW, column, kind }
}

/// The rows of the canary as a view.
fn view(numbers: &[Option<f64>]) -> String {
    let row = |(row, number): (usize, &Option<f64>)| {
        let number = number.map_or("NULL".to_owned(), literal);
        let whole = whole(row).map_or("NULL".to_owned(), |value| value.to_string());
        let word = word(row).map_or("NULL".to_owned(), |word| format!("'{}'", word.replace('\'', "''")));
        format!("({number}, {whole}, {word})")
    };
    let rows: Vec<String> = numbers.iter().enumerate().map(row).collect();
    format!(
        "CREATE OR REPLACE VIEW {VIEW} AS SELECT CAST(a AS DOUBLE) AS number, CAST(b AS BIGINT) AS whole, \
         CAST(c AS VARCHAR) AS word FROM (VALUES {}) AS v(a, b, c)",
        rows.join(", ")
    )
}

fn literal(number: f64) -> String {
    if number.is_finite() { format!("{number:e}") } else { format!("CAST('{number}' AS DOUBLE)") }
}

async fn floats(engine: &Engine, sql: &str) -> Result<(u64, Vec<(f64, u64)>), Error> {
    let answer = answer(engine, sql, Kind::Float).await?;
    let Values::Float(counts) = answer.values else { return Ok((answer.missing, Vec::new())) };
    Ok((answer.missing, counts))
}

async fn answer(engine: &Engine, sql: &str, kind: Kind) -> Result<Answer, Error> {
    let mut answer = Answer::new(kind);
    engine.query(sql, "the canary", |batch| answer.add(batch).map(|()| true)).await?;
    Ok(answer)
}

fn same(engine: &Engine, subject: &'static str, expected: &Column, found: &Column) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    let shown = |column: &Column| {
        let profile = streamflow_drift::TableProfile::of(std::slice::from_ref(column));
        profile.map_or_else(|error| error.to_string(), |profile| profile.to_json())
    };
    let engine = engine.target.to_string();
    Err(Error::Differs { engine, subject, expected: shown(expected), found: shown(found) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::Target;

    /// The name of one function stands for another in the engine.
    async fn with(name: &'static str, other: &str) -> Result<(), Error> {
        let engine = Engine::start(&Target::DataFusion, Duration::from_secs(600)).await.unwrap();
        let other = engine.context.state().scalar_functions()[other].as_ref().clone();
        engine.context.register_udf(other.with_aliases([name]));
        check(&engine).await
    }

    #[tokio::test]
    async fn an_engine_that_counts_otherwise_is_refused() {
        for (name, other) in [("floor", "ceil"), ("log2", "ln"), ("abs", "floor")] {
            let error = with(name, other).await.unwrap_err();
            assert!(
                matches!(error, Error::Differs { subject: "the rounded numbers", .. }),
                "{name}: {error}"
            );
            assert!(error.to_string().contains("its answers are not to be trusted"), "{error}");
        }
        assert!(with("floor", "floor").await.is_ok());
    }
}
