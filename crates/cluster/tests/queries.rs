//! The queries that are printed and not asked here: moments, and values by label.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::prelude::SessionContext;
use streamflow_drift::{ColumnQueries, Kind, SqlDialect};

const ROWS: &str = "CREATE VIEW rows AS SELECT CAST(a AS DOUBLE) AS hours, CAST(b AS BIGINT) AS skips, c AS plan, \
    d AS churned FROM (VALUES (1.5, 3, 'plus', true), (-0.3, NULL, 'plus', false), (1e300, 3, NULL, NULL), \
    (NULL, 4, 'basic', true), (CAST('NaN' AS DOUBLE), 4, 'basic', true), (CAST('-Infinity' AS DOUBLE), 3, 'plus', true)) \
    AS v(a, b, c, d)";

fn queries(column: &'static str, kind: Kind) -> ColumnQueries<'static> {
    ColumnQueries { dialect: SqlDialect::DataFusion, table: "rows", column, kind }
}

async fn answer(sql: &str) -> Vec<RecordBatch> {
    let context = SessionContext::new();
    context.sql(ROWS).await.unwrap();
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

/// Every row as its cells' texts, null where there is none.
async fn rows(sql: &str) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for batch in answer(sql).await {
        let texts: Vec<_> =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &dyn Array| {
                if column.is_null(row) {
                    "null".to_owned()
                } else {
                    column.as_string::<i32>().value(row).to_owned()
                }
            };
            let [keys @ .., n] = texts.as_slice() else { panic!("no columns") };
            let key = keys.iter().map(|column| cell(column)).collect::<Vec<_>>().join(" ");
            *found.entry(key).or_insert(0) += cell(n).parse::<u64>().unwrap();
        }
    }
    found
}

#[tokio::test]
async fn moments_are_of_finite_numbers() {
    for (column, kind, expected) in [
        ("hours", Kind::Float, [3.0, -0.3, 1e300, 1e300, f64::INFINITY]),
        ("skips", Kind::Integer, [5.0, 3.0, 4.0, 17.0, 59.0]),
    ] {
        let batches = answer(&queries(column, kind).moments()).await;
        let found: Vec<f64> = batches[0]
            .columns()
            .iter()
            .map(|column| cast(column, &DataType::Float64).unwrap().as_primitive::<Float64Type>().value(0))
            .collect();
        assert_eq!(found, expected, "{column}");
    }
}

#[tokio::test]
async fn values_are_counted_by_the_label_beside_them() {
    let expected = |rows: &[(&str, u64)]| {
        rows.iter().map(|(key, n)| ((*key).to_owned(), *n)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(
        rows(&queries("plan", Kind::Text).by_label("churned")).await,
        expected(&[("true plus", 2), ("false plus", 1), ("null null", 1), ("true basic", 2)])
    );
    assert_eq!(
        rows(&queries("skips", Kind::Integer).by_label("churned")).await,
        expected(&[("true 3.0", 2), ("false null", 1), ("null 3.0", 1), ("true 4.0", 2)])
    );
    // Rounded toward zero to twelve binary places: -0.3 is -1.2 · 2^-2, and 0.2 · 2^12 is 819.2.
    let hours = rows(&queries("hours", Kind::Float).by_label("churned")).await;
    assert_eq!(hours[&format!("false {:?}", -(4096.0 + 819.0) / 4096.0 / 4.0)], 1, "{hours:?}");
}
