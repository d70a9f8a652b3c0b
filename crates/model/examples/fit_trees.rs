//! Fits trees to a table of 32-bit floats and writes the log-odds of other rows; `bench/training.py` runs it.
//!
//! Arguments: a folder, the training rows, the features, the depth and the number of trees. The folder holds `x.f32`, column
//! after column with the training rows first, and `y.f32`; `scores.f64` is written.
#![allow(missing_docs, clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use streamflow_model::{Task, TreeSettings, Trees};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rows, features, depth, rounds] = arguments.as_slice() else {
        return Err("expected FOLDER ROWS FEATURES DEPTH ROUNDS".into());
    };
    let (folder, rows, features): (_, usize, usize) =
        (PathBuf::from(folder), rows.parse()?, features.parse()?);
    let tree = TreeSettings { max_depth: depth.parse()?, learning_rate: 0.1, l2: 1.0, min_leaf_weight: 5.0 };
    let read = |name: &str| -> Result<Vec<f64>, std::io::Error> {
        let bytes = std::fs::read(folder.join(name))?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(numbers.iter().map(|number| f64::from(f32::from_le_bytes(*number))).collect())
    };
    let (x, labels) = (read("x.f32")?, read("y.f32")?);
    let all = x.len() / features;
    let part = |from: usize, to: usize| -> Vec<Vec<f64>> {
        x.chunks_exact(all).map(|column| column[from..to].to_vec()).collect()
    };
    let (training, others) = (part(0, rows), part(rows, all));
    let started = Instant::now();
    let trees = Trees::fit(&training, &labels[..rows], Task::Binary, rounds.parse()?, &tree)?;
    println!("{:.3}", started.elapsed().as_secs_f64());
    let scores = trees.scores(&others, all - rows);
    let bytes: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
    Ok(std::fs::write(folder.join("scores.f64"), bytes)?)
}
