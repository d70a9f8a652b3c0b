//! The graph: inputs become one matrix of doubles, trees give scores, and scores become the outputs.

use super::message::Message;
use super::trees::regressor;
use crate::boosters::{Boosters, Link};
use crate::isotonic::IsotonicCalibrated;
use crate::schema::{Feature, Kind, Level};
use crate::{Error, Schema};

/// Element types.
const FLOAT: i64 = 1;
const INT64: i64 = 7;
const STRING: i64 = 8;
const DOUBLE: i64 = 11;

/// Version of the format, and of the operators.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
const ML_OPSET: i64 = 3;

/// How the names of values within the graph begin.
const OWN: &str = "streamflow/";

/// A node is `inputs → output` of an operator.
pub(super) fn node(
    domain: &str,
    operator: &str,
    inputs: &[&str],
    output: &str,
    attributes: impl IntoIterator<Item = Message>,
) -> Message {
    Message::default()
        .texts(1, inputs.iter().copied())
        .text(2, output)
        .text(3, output)
        .text(4, operator)
        .messages(5, attributes)
        .text(7, domain)
}

/// Attributes of a node: a name, a value and the number of its type.
pub(super) mod attribute {
    use super::super::message::Message;
    use super::tensor;

    fn typed(name: &str, kind: i64) -> Message {
        Message::default().text(1, name).integer(20, kind)
    }

    pub fn float(name: &str, value: f32) -> Message {
        typed(name, 1).float(2, value)
    }

    pub fn integer(name: &str, value: i64) -> Message {
        typed(name, 2).integer(3, value)
    }

    pub fn text(name: &str, value: &str) -> Message {
        typed(name, 3).text(4, value)
    }

    pub fn floats(name: &str, values: &[f32]) -> Message {
        typed(name, 6).floats(7, values)
    }

    pub fn integers(name: &str, values: &[i64]) -> Message {
        typed(name, 7).integers(8, values)
    }

    pub fn texts<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Message {
        typed(name, 8).texts(9, values)
    }

    /// A tensor: lists of doubles are no attributes themselves.
    pub fn doubles(name: &str, values: &[f64]) -> Message {
        let values = tensor("", super::DOUBLE, &[values.len() as i64]).doubles(10, values);
        typed(name, 4).message(5, values)
    }
}

/// A tensor without its elements.
fn tensor(name: &str, element: i64, shape: &[i64]) -> Message {
    Message::default().integers(1, shape).integer(2, element).text(8, name)
}

/// The name and type of an input or output of a value, or of several, for each row.
fn value(name: &str, element: i64, columns: Option<i64>) -> Message {
    let rows = Message::default().text(2, "rows");
    let columns = columns.map(|columns| Message::default().integer(1, columns));
    let shape = Message::default().message(1, rows).messages(1, columns);
    let of_tensor = Message::default().integer(1, element).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, of_tensor))
}

/// A graph that is being written.
struct Graph<'a> {
    features: &'a [Feature],
    nodes: Vec<Message>,
    constants: Vec<Message>,
    outputs: Vec<Message>,
}

/// The bytes of the file.
pub(super) fn write(schema: &Schema, boosters: &Boosters, threshold: f64) -> Result<Vec<u8>, Error> {
    let features = &schema.features;
    if let Some(Feature { name, .. }) = features.iter().find(|feature| feature.name.starts_with(OWN)) {
        let reason = format!(
            "the feature {name:?} begins with {OWN:?}, as values within the graph do; give it another name"
        );
        return Err(Error::Export { reason });
    }
    let mut graph = Graph { features, nodes: Vec::new(), constants: Vec::new(), outputs: Vec::new() };
    graph.constants.push(tensor("streamflow/column", INT64, &[2]).integers(7, &[-1, 1]));
    let columns = features.iter().map(|feature| graph.column(feature)).collect::<Result<Vec<_>, _>>()?;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    graph.push("Concat", &columns, "streamflow/row", [attribute::integer("axis", 1)]);
    let output = match boosters.link() {
        Link::Identity => graph.free("variable"),
        _ => "streamflow/score".to_owned(),
    };
    graph.nodes.push(regressor(boosters.ensembles(), "streamflow/row", &output)?);
    match boosters.link() {
        Link::Identity => graph.outputs.push(value(&output, FLOAT, Some(1))),
        Link::LogOdds => graph.of_two(threshold, boosters.isotonic()),
        link @ (Link::OneVersusRest | Link::Softmax) => graph.of_several(&schema.classes, link),
    }
    Ok(graph.file())
}

impl Graph<'_> {
    fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: impl IntoIterator<Item = Message>,
    ) {
        self.nodes.push(node("", operator, inputs, output, attributes));
    }

    fn constant(&mut self, name: &str, number: f32) {
        self.constants.push(tensor(name, FLOAT, &[1]).floats(4, &[number]));
    }

    /// A name that no feature has.
    fn free(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.features.iter().any(|feature| feature.name == name) {
            name.push('_');
        }
        name
    }

    /// The column of doubles of a feature: the number, or the position of the level.
    fn column(&mut self, feature: &Feature) -> Result<String, Error> {
        let name = &feature.name;
        let own = |what: &str| format!("{OWN}{what}/{name}");
        let mut number = name.clone();
        if let Kind::Categorical { levels } = &feature.kind {
            self.positions(feature, levels, &own("position"))?;
            number = own("number");
            self.push("Cast", &[&own("position")], &number, [attribute::integer("to", DOUBLE)]);
        }
        let column = own("column");
        self.push("Reshape", &[&number, "streamflow/column"], &column, []);
        Ok(column)
    }

    fn positions(&mut self, feature: &Feature, levels: &[Level], output: &str) -> Result<(), Error> {
        if levels.iter().any(|level| level.name.is_empty()) {
            let reason = format!(
                "the feature {:?} has the empty text as a level, which a missing value is in ONNX; give that level a name",
                feature.name
            );
            return Err(Error::Export { reason });
        }
        // A feature that was always missing has no level; an encoder has one key at least, and no value is empty.
        let (mut names, mut positions): (Vec<&str>, Vec<f32>) = match levels {
            [] => (vec![""], vec![f32::NAN]),
            levels => levels.iter().map(|level| (level.name.as_str(), level.position as f32)).unzip(),
        };
        // Truth values as Python writes them.
        for (own, python) in [("true", "True"), ("false", "False")] {
            if let (Some(at), false) = (names.iter().position(|name| *name == own), names.contains(&python)) {
                names.push(python);
                positions.push(positions[at]);
            }
        }
        let attributes = [
            attribute::texts("keys_strings", names),
            attribute::floats("values_floats", &positions),
            attribute::float("default_float", f32::NAN),
        ];
        self.nodes.push(node("ai.onnx.ml", "LabelEncoder", &[&feature.name], output, attributes));
        Ok(())
    }

    /// The outputs of two classes.
    fn of_two(&mut self, threshold: f64, isotonic: Option<&IsotonicCalibrated>) {
        let (label, probabilities) = (self.free("label"), self.free("probabilities"));
        self.constant("streamflow/one", 1.0);
        self.constant("streamflow/threshold", threshold as f32);
        match isotonic.map(|found| found.curve.knots()) {
            Some(knots) => self.curve(knots),
            None => self.push("Sigmoid", &["streamflow/score"], "streamflow/positive", []),
        }
        self.push("Sub", &["streamflow/one", "streamflow/positive"], "streamflow/negative", []);
        self.push(
            "Concat",
            &["streamflow/negative", "streamflow/positive"],
            &probabilities,
            [attribute::integer("axis", 1)],
        );
        self.push(
            "GreaterOrEqual",
            &["streamflow/positive", "streamflow/threshold"],
            "streamflow/is_positive",
            [],
        );
        self.push("Cast", &["streamflow/is_positive"], "streamflow/label", [attribute::integer("to", INT64)]);
        self.constants.push(tensor("streamflow/rows", INT64, &[1]).integers(7, &[-1]));
        self.push("Reshape", &["streamflow/label", "streamflow/rows"], &label, []);
        self.outputs.extend([value(&label, INT64, None), value(&probabilities, FLOAT, Some(2))]);
    }

    /// The probability by a rising curve: what lies below the first knot, and of each piece as much as the probability of
    /// the trees has gone of it, from 0 to 1. In doubles, since neighbouring knots may be equal in 32 bits.
    fn curve(&mut self, knots: &[[f64; 2]]) {
        let pieces: Vec<[[f64; 2]; 2]> =
            knots.windows(2).filter(|pair| pair[0][0] < pair[1][0]).map(|pair| [pair[0], pair[1]]).collect();
        let count = pieces.len() as i64;
        let of = |number: &dyn Fn(&[[f64; 2]; 2]) -> f64| pieces.iter().map(number).collect::<Vec<f64>>();
        let mut doubles = |name: &str, shape: &[i64], numbers: &[f64]| {
            self.constants.push(tensor(name, DOUBLE, shape).doubles(10, numbers));
        };
        doubles("streamflow/starts", &[count], &of(&|[start, _]| start[0]));
        doubles("streamflow/lengths", &[count], &of(&|[start, end]| end[0] - start[0]));
        doubles("streamflow/rises", &[count, 1], &of(&|[start, end]| end[1] - start[1]));
        doubles("streamflow/lowest", &[1], &[knots.first().map_or(0.0, |knot| knot[1])]);
        doubles("streamflow/whole", &[1], &[1.0]);
        let cast = |to| [attribute::integer("to", to)];
        self.push("Cast", &["streamflow/score"], "streamflow/log_odds", cast(DOUBLE));
        self.push("Sigmoid", &["streamflow/log_odds"], "streamflow/raw", []);
        self.push("Sub", &["streamflow/raw", "streamflow/starts"], "streamflow/beyond", []);
        self.push("Div", &["streamflow/beyond", "streamflow/lengths"], "streamflow/gone", []);
        // From 0 to 1 by operators that every runtime has.
        self.push("Relu", &["streamflow/gone"], "streamflow/from_0", []);
        self.push("Sub", &["streamflow/whole", "streamflow/from_0"], "streamflow/left", []);
        self.push("Relu", &["streamflow/left"], "streamflow/left_from_0", []);
        self.push("Sub", &["streamflow/whole", "streamflow/left_from_0"], "streamflow/shares", []);
        self.push("MatMul", &["streamflow/shares", "streamflow/rises"], "streamflow/risen", []);
        self.push("Add", &["streamflow/risen", "streamflow/lowest"], "streamflow/corrected", []);
        self.push("Cast", &["streamflow/corrected"], "streamflow/positive", cast(FLOAT));
    }

    /// The outputs of several classes.
    fn of_several(&mut self, classes: &[String], link: Link) {
        let (label, probabilities) = (self.free("label"), self.free("probabilities"));
        if link == Link::Softmax {
            let axis = [attribute::integer("axis", 1)];
            self.push("Softmax", &["streamflow/score"], &probabilities, axis);
        } else {
            self.normalised(&probabilities);
        }
        let largest = [attribute::integer("axis", 1), attribute::integer("keepdims", 0)];
        self.push("ArgMax", &[&probabilities], "streamflow/largest", largest);
        let names = [
            attribute::integers("keys_int64s", &(0..classes.len() as i64).collect::<Vec<_>>()),
            attribute::texts("values_strings", classes.iter().map(String::as_str)),
        ];
        self.nodes.push(node("ai.onnx.ml", "LabelEncoder", &["streamflow/largest"], &label, names));
        let columns = Some(classes.len() as i64);
        self.outputs.extend([value(&label, STRING, None), value(&probabilities, FLOAT, columns)]);
    }

    /// Each class against all others, divided by their sum.
    fn normalised(&mut self, probabilities: &str) {
        self.push("Sigmoid", &["streamflow/score"], "streamflow/each", []);
        // Where every class is denied beyond the smallest number, none is more likely than another.
        self.constant("streamflow/least", f32::MIN_POSITIVE);
        self.push("Add", &["streamflow/each", "streamflow/least"], "streamflow/some", []);
        self.constants.push(tensor("streamflow/classes", INT64, &[1]).integers(7, &[1]));
        self.push(
            "ReduceSum",
            &["streamflow/some", "streamflow/classes"],
            "streamflow/all",
            [attribute::integer("keepdims", 1)],
        );
        self.push("Div", &["streamflow/some", "streamflow/all"], probabilities, []);
    }

    fn file(self) -> Vec<u8> {
        let input = |feature: &Feature| {
            let element = if matches!(feature.kind, Kind::Numerical) { DOUBLE } else { STRING };
            value(&feature.name, element, None)
        };
        let graph = Message::default()
            .messages(1, self.nodes)
            .text(2, "streamflow")
            .messages(5, self.constants)
            .messages(11, self.features.iter().map(input))
            .messages(12, self.outputs);
        let opset = |domain: &str, version| Message::default().text(1, domain).integer(2, version);
        Message::default()
            .integer(1, IR_VERSION)
            .text(2, "streamflow")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(7, graph)
            .messages(8, [opset("", OPSET), opset("ai.onnx.ml", ML_OPSET)])
            .into_bytes()
    }
}
