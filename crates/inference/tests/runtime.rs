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

/// A field of a protobuf message that is bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut length = bytes.len();
    let mut field = vec![number << 3 | 2];
    while length >= 0x80 {
        field.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    [field, bytes.to_vec()].concat()
}

/// A node, with a graph as its attribute where one is given.
fn node(operator: &str, domain: &str, body: Option<&[u8]>) -> Vec<u8> {
    let body = body.map_or_else(Vec::new, |graph| field(5, &[field(1, b"body"), field(6, graph)].concat()));
    field(1, &[field(4, operator.as_bytes()), field(7, domain.as_bytes()), body].concat())
}

#[test]
fn what_may_run_without_end_never_reaches_it() {
    offer_runtime(Box::new(Runtime));
    // A reader that merges messages has these nodes before those of the classifier.
    let with = |begin: &[u8]| {
        let file = classifier("Scaler", "Loopen");
        Model::read(&[&file[..2], begin, &file[2..]].concat())
    };
    let read = |nodes: &[u8]| with(&field(7, nodes));
    let cases: &[(Vec<u8>, Option<&str>)] = &[
        (node("Loop", "", Some(&[])), Some("the operator Loop: it may run without end")),
        (node("Scan", "ai.onnx", Some(&node("Erf", "", None))), None),
        (node("Scan", "", Some(&node("Loop", "", None))), Some("the operator Loop: it may run")),
        (
            node("Scan", "", Some(&node("If", "", Some(&node("Scan", "", None))))),
            Some("a Scan within a Scan"),
        ),
        (node("SequenceMap", "", None), Some("the operator SequenceMap: it may run")),
        (node("If", "", Some(&node("Loop", "", Some(&[])))), Some("the operator Loop: it may run")),
        (node("If", "", Some(&node("If", "", Some(&node("SequenceMap", "", None))))), Some("SequenceMap")),
        (node("Gelu", "com.microsoft", None), Some("the operator Gelu of com.microsoft: only the operators")),
        (node("If", "", Some(&node("Spin", "own", None))), Some("the operator Spin of own")),
        (node("If", "", Some(&node("Erf", "", None))), None),
        (node("Erf", "ai.onnx", None), None),
    ];
    for (nodes, expected) in cases {
        match (read(nodes), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, expected) => panic!("{expected:?}: {found:?}"),
        }
    }
    let deep = (0..20).fold(node("Erf", "", None), |inner, _| node("If", "", Some(&inner)));
    assert!(read(&deep).unwrap_err().to_string().contains("nested deeper than 16"));
    // The 35th bit of a field's number is not seen by readers that keep 32.
    let hidden =
        [&[7 << 3 | 2 | 0x80, 0x80, 0x80, 0x80, 0x10][..], &field(7, &node("Loop", "", None))[1..]].concat();
    let error = with(&hidden).unwrap_err().to_string();
    assert!(error.contains("the number of a field is too large"), "{error}");
    // Field 25 holds functions.
    let functions = [vec![0xca, 0x01], field(0, &node("Loop", "", None))[1..].to_vec()].concat();
    let error = with(&functions).unwrap_err().to_string();
    assert!(error.contains("functions of its own"), "{error}");
}
