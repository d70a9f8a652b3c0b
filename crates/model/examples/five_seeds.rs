//! Trains on the course data with five seeds and prints one JSON line for each: what `bench/model.py`
//! puts beside its peers. An argument is a JSON object of other settings.
#![allow(missing_docs, clippy::print_stdout)]

#[path = "../tests/course/mod.rs"]
mod course;

use std::time::Instant;

use streamflow_model::{Labels, TrainSettings, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings: TrainSettings = serde_json::from_str(&std::env::args().nth(1).unwrap_or("{}".into()))?;
    let course = course::load().ok_or("the course data is missing")?;
    let labels = Labels::Binary(course.labels.clone());
    for seed in 0..5 {
        let settings = TrainSettings { seed, ..settings.clone() };
        let start = Instant::now();
        let trained = train(&course.features, &labels, &course.users, &settings)?;
        let fit_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        trained.model.predict(&course.features)?;
        let row_us = start.elapsed().as_secs_f64() * 1e6 / course.users.len() as f64;
        let line = serde_json::json!({
            "seed": seed, "fit_s": fit_s, "row_us": row_us, "trees": trained.model.trees(),
            "max_depth": trained.record.selection.max_depth, "metrics": trained.metrics,
        });
        println!("{line}");
    }
    Ok(())
}
