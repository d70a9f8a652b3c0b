//! Graphs that an offered runtime computes. The real one is asked in `make interop`; here is what reaches it and what is
//! made of its answers.
#![allow(clippy::unwrap_used, reason = "tests")]

use streamflow_inference::{
    Error, GraphRuntime, Labels, Model, PreparedGraph, Task, Tensor, TensorData, Value, offer_runtime,
};

/// Says how many rows it was asked for in the probabilities; refuses graphs with the operator "Absent".
struct Runtime;

struct Prepared;

impl GraphRuntime for Runtime {
    fn prepare(&self, file: &[u8]) -> Result<Box<dyn PreparedGraph>, String> {
        let is_absent = file.windows(6).any(|window| window == b"Absent");
        if is_absent { Err("there is no library".to_owned()) } else { Ok(Box::new(Prepared)) }
    }
}

impl PreparedGraph for Prepared {
    fn run(&self, inputs: Vec<(&str, Tensor)>, outputs: &[&str]) -> Result<Vec<Tensor>, String> {
        let [("X", input)] = &inputs[..] else { return Err("expected X".to_owned()) };
        assert_eq!(outputs, ["label", "probabilities"]);
        let TensorData::Single(values) = &input.data else { return Err("expected floats".to_owned()) };
        if values.contains(&13.0) {
            return Err("thirteen".to_owned());
        }
        let rows = input.shape[0];
        let probabilities = (0..rows).flat_map(|row| [row as f32, 1.0 - row as f32]).collect();
        Ok(vec![
            Tensor { shape: vec![rows], data: TensorData::Integer(vec![1; rows]) },
            Tensor { shape: vec![rows, 2], data: TensorData::Single(probabilities) },
        ])
    }
}

/// The classifier with other bytes in place of some, the same number of them.
fn classifier(from: &str, to: &str) -> Vec<u8> {
    let file = include_bytes!("files/classifier.onnx");
    let at = file.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&file[..at], to.as_bytes(), &file[at + from.len()..]].concat()
}

#[test]
fn other_operators_are_computed_elsewhere() {
    offer_runtime(Box::new(Runtime));
    let model = Model::read(&classifier("Scaler", "Loopen")).unwrap();
    assert_eq!((model.task(), model.objective().contains("Loopen")), (Task::Binary, true));
    let width = model.inputs().len();
    let rows = |value: f64| vec![Value::Number(value); 3 * width];
    let answers = model.predict(&rows(1.0)).unwrap();
    assert_eq!(answers.label, Some(Labels::Integers(vec![1; 3])));
    let probability = answers.probability.unwrap();
    assert_eq!(probability.rows().map(|row| row[0]).collect::<Vec<_>>(), [0.0, 1.0, 2.0]);
    assert_eq!(model.predict(&rows(13.0)).unwrap_err().to_string(), "ONNX operator of onnxruntime: thirteen");
    let text = vec![Value::Text("x"); width];
    assert!(matches!(model.predict(&text), Err(Error::Value { .. })));

    let absent = Model::read(&classifier("Scaler", "Absent")).unwrap_err().to_string();
    assert!(absent.contains("operator Absent") && absent.ends_with("; there is no library"), "{absent}");

    // What is evaluated here never reaches it.
    let own = Model::read(include_bytes!("files/classifier.onnx")).unwrap();
    assert!(own.predict(&rows(13.0)).is_ok());
    // A graph may not name other files; this one has an unknown field that holds such a name.
    let mut external = classifier("Scaler", "Loopen");
    external.extend_from_slice(b"\xfa\x01\x0a\x0a\x08location");
    let error = Model::read(&external).unwrap_err().to_string();
    assert!(error.ends_with("and with numbers in another file; save it as one file"), "{error}");
}
