//! A graph that is ready to be computed, the features that it takes, and what its outputs mean.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::bounded;
use super::operators::{Kernel, build};
use super::proto::{self, GraphProto, ValueInfo};
use super::tensor::{Data, MAX_ELEMENTS, Tensor};
use super::wire::malformed;
use crate::link::Width;
use crate::model::Engine;
use crate::runtime::{self, PreparedGraph};
use crate::{Error, Format, Input, Kind, Labels, Matrix, Model, Predictions, Task, Value};

/// Most columns of all inputs.
const MAX_COLUMNS: usize = 1 << 16;

/// Most elements of the values that are kept at a time.
const MAX_LIVE: usize = 4 * MAX_ELEMENTS;

/// How the name of another file begins that holds a tensor's numbers.
const EXTERNAL: &[u8] = b"\x0a\x08location";

/// A graph.
pub(crate) struct Graph {
    feeds: Vec<Feed>,
    constants: HashMap<usize, Tensor>,
    steps: Vec<Step>,
    /// Computes the graph in place of the steps.
    prepared: Option<Box<dyn PreparedGraph>>,
    /// Names and places of the outputs.
    outputs: Vec<(String, usize)>,
    answer: Answer,
    /// Columns of the answer.
    columns: usize,
}

/// One input: a matrix of features, or a column.
struct Feed {
    name: String,
    slot: usize,
    element: Element,
    first: usize,
    columns: usize,
    is_vector: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Single,
    Double,
    Integer,
    Boolean,
    Text,
}

/// One operator.
struct Step {
    /// Its type, with the name of its node.
    operator: String,
    kernel: Kernel,
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
    /// Values that no later operator takes.
    last_used: Vec<usize>,
}

/// What the outputs are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Value(usize),
    /// The labels, and the probabilities as a matrix or a column each.
    Classes {
        label: usize,
        probability: Vec<usize>,
    },
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operators: Vec<&str> = self.steps.iter().map(|step| step.operator.as_str()).collect();
        f.debug_struct("Graph").field("operators", &operators).field("answer", &self.answer).finish()
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Model, Error> {
    let file = proto::model(bytes)?;
    let mut reader = Reader::default();
    for (name, tensor) in file.graph.initializers.iter() {
        let slot = reader.slot(name);
        reader.constants.insert(slot, tensor.clone());
    }
    let (inputs, feeds) = reader.feeds(&file.graph)?;
    let (steps, operators, prepared) = match reader.steps(&file.graph, &file.opsets) {
        Ok((steps, operators)) => (steps, operators, None),
        Err(refused) => (Vec::new(), operators(&file.graph), Some(computed_elsewhere(bytes, refused)?)),
    };
    let outputs = reader.outputs(&file.graph, prepared.is_some())?;
    let classes = classes(&file.graph);
    let has_names = feeds.len() > 1 || inputs.len() == 1;
    let (constants, answer) = (reader.constants, Answer::Value(0));
    let mut graph = Graph { feeds, constants, steps, prepared, outputs, answer, columns: 0 };
    graph.try_out()?;
    let classes =
        classes.filter(|classes| graph.task() != Task::Regression && classes.len() == graph.columns);
    let engine = Engine::Graph(Box::new(graph));
    let explainer = OnceLock::new();
    Ok(Model { format: Format::Onnx, objective: operators, inputs, has_names, classes, engine, explainer })
}

/// The graph as the offered runtime computes it, where it is refused for an operator.
fn computed_elsewhere(bytes: &[u8], refused: Error) -> Result<Box<dyn PreparedGraph>, Error> {
    let Error::Unsupported { format, what, remedy } = refused else { return Err(refused) };
    bounded::check(bytes)?;
    let unsupported = |remedy| Error::Unsupported { format, what: what.clone(), remedy };
    if bytes.windows(EXTERNAL.len()).any(|window| window == EXTERNAL) {
        return Err(unsupported("and with numbers in another file; save it as one file".to_owned()));
    }
    match runtime::prepare(bytes) {
        None => Err(unsupported(remedy)),
        Some(prepared) => prepared.map_err(|reason| unsupported(format!("{remedy}; {reason}"))),
    }
}

/// The types of the operators, each once.
fn operators(graph: &GraphProto) -> String {
    let mut operators: Vec<&str> = Vec::new();
    for node in &graph.nodes {
        if !operators.contains(&node.operator) {
            operators.push(node.operator);
        }
    }
    operators.join(", ")
}

/// Names of values become numbers.
#[derive(Default)]
struct Reader<'a> {
    slots: HashMap<&'a str, usize>,
    constants: HashMap<usize, Tensor>,
}

impl<'a> Reader<'a> {
    fn slot(&mut self, name: &'a str) -> usize {
        let next = self.slots.len();
        *self.slots.entry(name).or_insert(next)
    }

    fn feeds(&mut self, graph: &GraphProto<'a>) -> Result<(Vec<Input>, Vec<Feed>), Error> {
        let (mut inputs, mut feeds) = (Vec::new(), Vec::new());
        for info in &graph.inputs {
            if self.slots.contains_key(info.name) {
                continue; // An initializer may be listed as an input too.
            }
            let (element, kind) = element(info)?;
            let (columns, is_vector) = columns(info)?;
            if inputs.len() + columns > MAX_COLUMNS {
                return Err(malformed(format!("its inputs have more than {MAX_COLUMNS} columns")));
            }
            let slot = self.slot(info.name);
            let name = info.name.to_owned();
            feeds.push(Feed { name, slot, element, first: inputs.len(), columns, is_vector });
            for column in 0..columns {
                let name =
                    if columns == 1 { info.name.to_owned() } else { format!("{}[{column}]", info.name) };
                inputs.push(Input::new(name, kind.clone()));
            }
        }
        Ok((inputs, feeds))
    }

    fn steps(
        &mut self,
        graph: &GraphProto<'a>,
        opsets: &[(&str, i64)],
    ) -> Result<(Vec<Step>, String), Error> {
        let mut steps: Vec<Step> = Vec::new();
        let mut last_use = HashMap::new();
        for (number, node) in graph.nodes.iter().enumerate() {
            let domain = if node.domain == "ai.onnx" { "" } else { node.domain };
            let version =
                opsets.iter().find(|(name, _)| *name == domain || (domain.is_empty() && *name == "ai.onnx"));
            let kernel = build(node, domain, version.map_or(1, |(_, version)| *version))?;
            let mut inputs = Vec::with_capacity(node.inputs.len());
            for name in &node.inputs {
                let slot = match (name.is_empty(), self.slots.get(name)) {
                    (true, _) => None,
                    (false, Some(&slot)) => Some(slot),
                    (false, None) => {
                        return Err(malformed(format!(
                            "{} takes {name:?}, which nothing gives",
                            node.operator
                        )));
                    }
                };
                if let Some(slot) = slot {
                    last_use.insert(slot, number);
                }
                inputs.push(slot);
            }
            let outputs =
                node.outputs.iter().map(|name| (!name.is_empty()).then(|| self.slot(name))).collect();
            let operator = if node.name.is_empty() {
                node.operator.to_owned()
            } else {
                format!("{} ({})", node.operator, node.name)
            };
            steps.push(Step { operator, kernel, inputs, outputs, last_used: Vec::new() });
        }
        let kept: Vec<usize> =
            graph.outputs.iter().filter_map(|info| self.slots.get(info.name).copied()).collect();
        for (slot, number) in last_use {
            if !kept.contains(&slot) {
                steps[number].last_used.push(slot);
            }
        }
        Ok((steps, operators(graph)))
    }

    /// What `is_given` elsewhere need not be given by an operator that is known here.
    fn outputs(&mut self, graph: &GraphProto<'a>, is_given: bool) -> Result<Vec<(String, usize)>, Error> {
        let output = |info: &ValueInfo<'a>| {
            let slot = if is_given { Some(self.slot(info.name)) } else { self.slots.get(info.name).copied() };
            let slot = slot.ok_or_else(|| malformed(format!("nothing gives the output {:?}", info.name)))?;
            Ok((info.name.to_owned(), slot))
        };
        graph.outputs.iter().map(output).collect()
    }
}

fn element(info: &ValueInfo) -> Result<(Element, Kind), Error> {
    match info.element {
        Some(1) => Ok((Element::Single, Kind::Number)),
        Some(11) => Ok((Element::Double, Kind::Number)),
        Some(6 | 7) => Ok((Element::Integer, Kind::Integer)),
        Some(9) => Ok((Element::Boolean, Kind::Boolean)),
        Some(8) => Ok((Element::Text, Kind::Text)),
        other => {
            let kind = other.map_or("no tensor".to_owned(), |kind| format!("of element type {kind}"));
            let what = format!("the input {:?}, which is {kind}", info.name);
            Err(Error::unsupported(
                Format::Onnx,
                what,
                "expected tensors of float, double, int64, bool or string",
            ))
        }
    }
}

/// The columns of an input, and whether it is a vector of rows.
fn columns(info: &ValueInfo) -> Result<(usize, bool), Error> {
    match info.shape.as_deref() {
        Some([_]) => Ok((1, true)),
        Some([_, Some(columns @ 1..)]) if *columns <= MAX_COLUMNS as i64 => Ok((*columns as usize, false)),
        shape => {
            let shown = shape.map_or("no shape".to_owned(), |shape| format!("the shape {shape:?}"));
            let what = format!("the input {:?} with {shown}", info.name);
            Err(Error::unsupported(Format::Onnx, what, "expected rows and a fixed number of columns"))
        }
    }
}

/// The names of classes that the last classifier or ZipMap has, or an encoder whose result is an output.
fn classes(graph: &GraphProto) -> Option<Labels> {
    let is_output = |name: &&str| graph.outputs.iter().any(|info| info.name == *name);
    graph.nodes.iter().rev().find_map(|node| {
        let find = |names: [&str; 2]| {
            node.attributes.iter().find(|(name, _)| names.contains(name)).map(|(_, attribute)| attribute)
        };
        let integers = find(["classlabels_int64s", "classlabels_ints"]).map(|found| &found.integers);
        if let Some(integers) = integers.filter(|integers| !integers.is_empty()) {
            return Some(Labels::Integers(integers.clone()));
        }
        let encoded =
            if node.outputs.iter().any(is_output) { "values_strings" } else { "classlabels_strings" };
        let texts = find(["classlabels_strings", encoded]).map(|found| &found.texts)?;
        let text = |bytes: &&[u8]| String::from_utf8_lossy(bytes).into_owned();
        (!texts.is_empty()).then(|| Labels::Texts(texts.iter().map(text).collect()))
    })
}

impl Graph {
    pub fn task(&self) -> Task {
        match (&self.answer, self.columns) {
            (Answer::Value(_), _) => Task::Regression,
            (Answer::Classes { .. }, 2) => Task::Binary,
            (Answer::Classes { .. }, _) => Task::Multiclass,
        }
    }

    /// Computes one row, so that what cannot be computed is refused with the file, and tells what the outputs are.
    fn try_out(&mut self) -> Result<(), Error> {
        let feeds = self.feeds.iter().map(|feed| {
            let data = match feed.element {
                Element::Single => Data::Single(vec![0.0; feed.columns]),
                Element::Double => Data::Double(vec![0.0; feed.columns]),
                Element::Integer => Data::Integer(vec![0; feed.columns]),
                Element::Boolean => Data::Boolean(vec![false; feed.columns]),
                Element::Text => Data::Text(vec![Arc::from(""); feed.columns]),
            };
            (feed.slot, feed.tensor(1, data))
        });
        let values = self.run(feeds.collect(), true)?;
        let slots = self.outputs.iter().map(|(_, slot)| *slot);
        let is_class = |slot: &usize| {
            matches!(values.get(slot).map(|v| &v.data), Some(Data::Integer(_) | Data::Text(_)))
        };
        let (labels, numbers): (Vec<usize>, Vec<usize>) = slots.partition(is_class);
        let width = |slot: usize| values.get(&slot).map_or(0, |tensor| tensor.data.len());
        let (answer, columns) = match (&labels[..], &numbers[..]) {
            ([], [value]) => (Answer::Value(*value), width(*value)),
            ([label], [matrix]) if width(*matrix) > 1 => {
                (Answer::Classes { label: *label, probability: vec![*matrix] }, width(*matrix))
            }
            ([label], [_, _, ..]) if numbers.iter().all(|&slot| width(slot) == 1) => {
                (Answer::Classes { label: *label, probability: numbers.clone() }, numbers.len())
            }
            _ => {
                let names: Vec<&str> = self.outputs.iter().map(|(name, _)| name.as_str()).collect();
                let what = format!("the outputs {}", names.join(", "));
                let remedy = "expected one of numbers, or a label and the probabilities of the classes";
                return Err(Error::unsupported(Format::Onnx, what, remedy));
            }
        };
        self.answer = answer;
        self.columns = columns;
        Ok(())
    }

    pub fn predict(&self, inputs: &[Input], values: &[Value]) -> Result<Predictions, Error> {
        let rows = values.len() / inputs.len();
        let mut feeds = HashMap::with_capacity(self.feeds.len());
        for feed in &self.feeds {
            feeds.insert(feed.slot, feed.of(inputs, values, rows)?);
        }
        let mut outputs = self.run(feeds, false)?;
        let mut take =
            |slot: usize| outputs.remove(&slot).ok_or_else(|| malformed("an output is given twice"));
        let mut predictions = Predictions { unseen: vec![0; inputs.len()], ..Predictions::default() };
        match &self.answer {
            Answer::Value(slot) => predictions.value = Some(matrix(take(*slot)?, rows)?),
            Answer::Classes { label, probability } => {
                predictions.label = Some(labels(take(*label)?, rows)?);
                let columns: Result<Vec<_>, _> =
                    probability.iter().map(|&slot| matrix(take(slot)?, rows)).collect();
                predictions.probability = Some(side_by_side(columns?));
            }
        }
        Ok(predictions)
    }

    /// Computes the graph; `lenient` stands for rows that are made up.
    fn run(&self, feeds: HashMap<usize, Tensor>, lenient: bool) -> Result<HashMap<usize, Tensor>, Error> {
        if let Some(prepared) = &self.prepared {
            return self.run_elsewhere(prepared.as_ref(), feeds);
        }
        let mut values = feeds;
        let mut live: usize = values.values().map(|tensor| tensor.data.len()).sum();
        for step in &self.steps {
            let fault = |reason: String| Error::Operator { operator: step.operator.clone(), reason };
            let mut inputs = Vec::with_capacity(step.inputs.len());
            for slot in &step.inputs {
                inputs.push(match slot {
                    None => None,
                    Some(slot) => Some(
                        values
                            .get(slot)
                            .or_else(|| self.constants.get(slot))
                            .ok_or_else(|| fault("an input is not there yet".to_owned()))?,
                    ),
                });
            }
            let outputs = (step.kernel)(&inputs, lenient).map_err(fault)?;
            for (slot, tensor) in step.outputs.iter().zip(outputs) {
                if let Some(slot) = slot {
                    live += tensor.data.len();
                    let replaced = values.insert(*slot, tensor);
                    live -= replaced.map_or(0, |tensor| tensor.data.len());
                }
            }
            for slot in &step.last_used {
                live -= values.remove(slot).map_or(0, |tensor| tensor.data.len());
            }
            if live > MAX_LIVE {
                return Err(fault(format!("the graph keeps more than {MAX_LIVE} elements")));
            }
        }
        Ok(values)
    }
}

impl Graph {
    fn run_elsewhere(
        &self,
        prepared: &dyn PreparedGraph,
        mut feeds: HashMap<usize, Tensor>,
    ) -> Result<HashMap<usize, Tensor>, Error> {
        let inputs =
            self.feeds.iter().filter_map(|feed| Some((feed.name.as_str(), feeds.remove(&feed.slot)?)));
        let names: Vec<&str> = self.outputs.iter().map(|(name, _)| name.as_str()).collect();
        let outputs = prepared
            .run(inputs.collect(), &names)
            .map_err(|reason| Error::Operator { operator: "of onnxruntime".to_owned(), reason })?;
        Ok(self.outputs.iter().map(|(_, slot)| *slot).zip(outputs).collect())
    }
}

impl Feed {
    fn tensor(&self, rows: usize, data: Data) -> Tensor {
        let shape = if self.is_vector { vec![rows] } else { vec![rows, self.columns] };
        Tensor { shape, data }
    }

    /// The columns of this input.
    fn of(&self, inputs: &[Input], values: &[Value], rows: usize) -> Result<Tensor, Error> {
        let columns = &inputs[self.first..self.first + self.columns];
        let cells = || {
            values
                .chunks_exact(inputs.len())
                .flat_map(|row| columns.iter().zip(&row[self.first..self.first + self.columns]))
        };
        let data = match self.element {
            Element::Single => Data::Single(cells().map(single).collect::<Result<_, _>>()?),
            Element::Double => Data::Double(cells().map(double).collect::<Result<_, _>>()?),
            Element::Integer => Data::Integer(cells().map(integer).collect::<Result<_, _>>()?),
            Element::Boolean => Data::Boolean(cells().map(boolean).collect::<Result<_, _>>()?),
            Element::Text => Data::Text(cells().map(text).collect::<Result<_, _>>()?),
        };
        Ok(self.tensor(rows, data))
    }
}

fn single((input, value): (&Input, &Value)) -> Result<f32, Error> {
    match value {
        Value::Integer(value) => Ok(*value as f32),
        _ => double((input, value)).map(|value| value as f32),
    }
}

fn double((input, value): (&Input, &Value)) -> Result<f64, Error> {
    match value {
        Value::Missing => Ok(f64::NAN),
        Value::Number(value) => Ok(*value),
        Value::Integer(value) => Ok(*value as f64),
        Value::Boolean(value) => Ok(f64::from(u8::from(*value))),
        Value::Text(_) => Err(input.refuse(*value)),
    }
}

fn integer((input, value): (&Input, &Value)) -> Result<i64, Error> {
    match value {
        Value::Integer(value) => Ok(*value),
        Value::Boolean(value) => Ok(i64::from(*value)),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e18 => Ok(*number as i64),
        _ => Err(input.refuse(*value)),
    }
}

fn boolean((input, value): (&Input, &Value)) -> Result<bool, Error> {
    match value {
        Value::Boolean(value) => Ok(*value),
        Value::Integer(0) => Ok(false),
        Value::Integer(1) => Ok(true),
        _ => Err(input.refuse(*value)),
    }
}

fn text((input, value): (&Input, &Value)) -> Result<Arc<str>, Error> {
    match value {
        Value::Missing => Ok(Arc::from("")),
        Value::Text(text) => Ok(Arc::from(*text)),
        // A column of digits may have been read as integers.
        Value::Integer(number) => Ok(Arc::from(number.to_string())),
        _ => Err(input.refuse(*value)),
    }
}

fn matrix(tensor: Tensor, rows: usize) -> Result<Matrix, Error> {
    let count = tensor.data.len();
    let columns = count.checked_div(rows).unwrap_or(1);
    if columns * rows != count || (tensor.shape.first() != Some(&rows)) {
        let reason = format!("an output has the shape {:?} for {rows} rows", tensor.shape);
        return Err(Error::Operator { operator: "of the output".to_owned(), reason });
    }
    let width = if matches!(tensor.data, Data::Double(_)) { Width::Double } else { Width::Single };
    let values = tensor
        .numbers()
        .map_err(|reason| Error::Operator { operator: "of the output".to_owned(), reason })?;
    Ok(Matrix::new(columns, width, values))
}

/// Columns as one matrix.
fn side_by_side(mut columns: Vec<Matrix>) -> Matrix {
    if columns.len() == 1 {
        return columns.remove(0);
    }
    let width = columns[0].width();
    let rows = columns[0].rows().len();
    let values = (0..rows)
        .flat_map(|row| columns.iter().filter_map(move |column| column.rows().nth(row)).map(|cell| cell[0]));
    Matrix::new(columns.len(), width, values.collect())
}

fn labels(tensor: Tensor, rows: usize) -> Result<Labels, Error> {
    if tensor.data.len() != rows {
        let reason = format!("the labels have the shape {:?} for {rows} rows", tensor.shape);
        return Err(Error::Operator { operator: "of the output".to_owned(), reason });
    }
    match tensor.data {
        Data::Text(labels) => {
            Ok(Labels::Texts(labels.iter().map(|label| label.as_ref().to_owned()).collect()))
        }
        Data::Integer(labels) => Ok(Labels::Integers(labels)),
        other => Err(malformed(format!("its labels are {}", other.name()))),
    }
}
