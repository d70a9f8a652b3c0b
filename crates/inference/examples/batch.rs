//! Scores a table of numbers with a model file and tells how long reading and scoring take: the other side of
//! `bench/models.py`.
//!
//!     cargo run --release -p streamflow-inference --example batch -- MODEL TABLE ROUNDS
//!
//! `TABLE` is 64-bit numbers, little endian, row after row, as wide as the model. Prints a line of JSON: the best of so
//! many rounds in seconds, the same for one row, and the first outputs.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use streamflow_inference::{Model, Predictions, Value};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, table, rounds] = &arguments[..] else { return Err("expected MODEL TABLE ROUNDS".into()) };
    let bytes = std::fs::read(model)?;
    let started = Instant::now();
    let model = Model::read(&bytes)?;
    let read = started.elapsed().as_secs_f64();
    let table = std::fs::read(table)?;
    let values: Vec<Value> =
        table.as_chunks().0.iter().map(|number| Value::Number(f64::from_le_bytes(*number))).collect();
    let (mut of_table, mut of_row) = (f64::INFINITY, f64::INFINITY);
    let row = &values[..model.inputs().len()];
    let mut first = Vec::new();
    for _ in 0..rounds.parse()? {
        let started = Instant::now();
        let predictions = model.predict(&values)?;
        of_table = of_table.min(started.elapsed().as_secs_f64());
        first = outputs(&predictions);
        for _ in 0..1000 {
            let started = Instant::now();
            std::hint::black_box(model.predict(std::hint::black_box(row))?);
            of_row = of_row.min(started.elapsed().as_secs_f64());
        }
    }
    println!("{{\"read\": {read}, \"table\": {of_table}, \"row\": {of_row}, \"first\": {first:?}}}");
    Ok(())
}

/// The last column of the first hundred rows.
fn outputs(predictions: &Predictions) -> Vec<f64> {
    let matrix = predictions.probability.as_ref().or(predictions.value.as_ref());
    matrix
        .into_iter()
        .flat_map(|matrix| matrix.rows().take(100))
        .filter_map(|row| row.last().copied())
        .collect()
}
