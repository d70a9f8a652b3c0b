//! The table of operators, and those that work element by element.

use super::ensemble;
use super::linear;
use super::preprocessing;
use super::proto::{Attribute, NodeProto};
use super::shaping;
use super::tensor::{Data, Tensor, elements};
use crate::{Error, Format};

/// Computes an operator's outputs. The flag is set for rows that are made up, of which no value is an error.
pub(crate) type Kernel = Box<dyn Fn(&[Option<&Tensor>], bool) -> Result<Vec<Tensor>, String> + Send + Sync>;

/// A node while its attributes are read.
pub(crate) struct Node<'a> {
    proto: &'a NodeProto<'a>,
    /// Version of the operator's domain.
    pub version: i64,
}

/// An operator: how its attributes become a kernel.
struct Operator {
    domain: &'static str,
    name: &'static str,
    build: fn(&Node) -> Result<Kernel, String>,
}

const ML: &str = "ai.onnx.ml";

const fn op(
    domain: &'static str,
    name: &'static str,
    build: fn(&Node) -> Result<Kernel, String>,
) -> Operator {
    Operator { domain, name, build }
}

static OPERATORS: &[Operator] = &[
    op("", "Abs", |_| unary(f64::abs)),
    op("", "Add", |_| binary(Arithmetic::Add)),
    op("", "ArgMax", shaping::arg_max),
    op("", "Cast", shaping::cast),
    op("", "Concat", shaping::concat),
    op("", "Div", |_| binary(Arithmetic::Div)),
    op("", "Exp", |_| unary(f64::exp)),
    op("", "Gather", shaping::gather),
    op("", "GreaterOrEqual", |_| greater_or_equal()),
    op("", "Identity", |_| identity()),
    op("", "MatMul", |_| linear::matmul()),
    op("", "Mul", |_| binary(Arithmetic::Mul)),
    op("", "ReduceSum", shaping::reduce_sum),
    op("", "Relu", |_| unary(|x| x.max(0.0))),
    op("", "Reshape", shaping::reshape),
    op("", "Sigmoid", |_| unary(|x| 1.0 / (1.0 + (-x).exp()))),
    op("", "Slice", shaping::slice),
    op("", "Softmax", linear::softmax),
    op("", "Sub", |_| binary(Arithmetic::Sub)),
    op("", "Sum", |_| sum()),
    op("", "Tanh", |_| unary(f64::tanh)),
    op(ML, "ArrayFeatureExtractor", |_| shaping::array_feature_extractor()),
    op(ML, "Imputer", preprocessing::imputer),
    op(ML, "LabelEncoder", preprocessing::label_encoder),
    op(ML, "LinearClassifier", linear::classifier),
    op(ML, "LinearRegressor", linear::regressor),
    op(ML, "Normalizer", preprocessing::normalizer),
    op(ML, "OneHotEncoder", preprocessing::one_hot_encoder),
    op(ML, "Scaler", preprocessing::scaler),
    op(ML, "TreeEnsembleClassifier", ensemble::classifier),
    op(ML, "TreeEnsembleRegressor", ensemble::regressor),
    // Its maps are taken apart again: the probabilities are the matrix before it.
    op(ML, "ZipMap", |_| identity()),
];

/// The kernel of a node.
pub(crate) fn build(node: &NodeProto, domain: &str, version: i64) -> Result<Kernel, Error> {
    let name = node.operator;
    let unsupported = |what: String, remedy: &str| Err(Error::unsupported(Format::Onnx, what, remedy));
    if node.attributes.iter().any(|(_, attribute)| attribute.is_graph) {
        return unsupported(
            format!("the operator {name}, which holds graphs of its own"),
            "expected no loops or branches",
        );
    }
    let Some(row) = OPERATORS.iter().find(|row| row.domain == domain && row.name == name) else {
        let from = if domain.is_empty() { String::new() } else { format!(" of {domain}") };
        return unsupported(
            format!("the operator {name}{from}"),
            "it is not evaluated here; docs/model.md has the list",
        );
    };
    (row.build)(&Node { proto: node, version })
        .or_else(|reason| unsupported(format!("the operator {name}"), &reason))
}

impl<'a> Node<'a> {
    fn find(&self, name: &str) -> Option<&'a Attribute<'a>> {
        self.proto.attributes.iter().find(|(given, _)| *given == name).map(|(_, attribute)| attribute)
    }

    pub fn integer(&self, name: &str, default: i64) -> i64 {
        self.find(name).and_then(|attribute| attribute.integer).unwrap_or(default)
    }

    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.find(name).and_then(|attribute| attribute.float).unwrap_or(default)
    }

    pub fn text(&self, name: &str, default: &'a str) -> Result<&'a str, String> {
        let Some(bytes) = self.find(name).and_then(|attribute| attribute.text) else { return Ok(default) };
        std::str::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))
    }

    pub fn integers(&self, name: &str) -> Option<&'a [i64]> {
        self.find(name).map(|attribute| attribute.integers.as_slice()).filter(|list| !list.is_empty())
    }

    pub fn floats(&self, name: &str) -> Option<&'a [f32]> {
        self.find(name).map(|attribute| attribute.floats.as_slice()).filter(|list| !list.is_empty())
    }

    pub fn tensor(&self, name: &str) -> Option<&'a Tensor> {
        self.find(name).and_then(|attribute| attribute.tensor.as_ref())
    }

    pub fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>, String> {
        let Some(attribute) = self.find(name).filter(|attribute| !attribute.texts.is_empty()) else {
            return Ok(None);
        };
        let text = |bytes: &&'a [u8]| std::str::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"));
        attribute.texts.iter().map(text).collect::<Result<_, _>>().map(Some)
    }
}

/// An input that must be there.
pub(crate) fn input<'a>(inputs: &[Option<&'a Tensor>], index: usize) -> Result<&'a Tensor, String> {
    inputs.get(index).copied().flatten().ok_or_else(|| format!("input {index} is missing"))
}

fn identity() -> Result<Kernel, String> {
    Ok(Box::new(|inputs, _| Ok(vec![input(inputs, 0)?.clone()])))
}

/// A function of one number, computed in 64 bits and rounded to the width of the input.
fn unary(function: fn(f64) -> f64) -> Result<Kernel, String> {
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let data = match &tensor.data {
            Data::Single(data) => Data::Single(data.iter().map(|&x| function(f64::from(x)) as f32).collect()),
            Data::Double(data) => Data::Double(data.iter().map(|&x| function(x)).collect()),
            other => return Err(format!("it takes float or double, not {}", other.name())),
        };
        Ok(vec![Tensor { shape: tensor.shape.clone(), data }])
    }))
}

#[derive(Clone, Copy)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

impl Arithmetic {
    fn of_numbers(self, a: f64, b: f64) -> f64 {
        match self {
            Arithmetic::Add => a + b,
            Arithmetic::Sub => a - b,
            Arithmetic::Mul => a * b,
            Arithmetic::Div => a / b,
        }
    }

    fn of_integers(self, a: i64, b: i64) -> Result<i64, String> {
        match self {
            Arithmetic::Add => Ok(a.wrapping_add(b)),
            Arithmetic::Sub => Ok(a.wrapping_sub(b)),
            Arithmetic::Mul => Ok(a.wrapping_mul(b)),
            Arithmetic::Div if b == 0 => Err("an integer is divided by zero".to_owned()),
            Arithmetic::Div => Ok(a.wrapping_div(b)),
        }
    }

    fn apply(self, left: &Tensor, right: &Tensor) -> Result<Tensor, String> {
        let shape = broadcast(&left.shape, &right.shape)?;
        let count = elements(&shape)?;
        let (a, b) = (strides(&left.shape, &shape), strides(&right.shape, &shape));
        let pairs = (0..count).map(|place| (source(place, &shape, &a), source(place, &shape, &b)));
        let data = match (&left.data, &right.data) {
            // Rounding the 64-bit result gives what 32 bits give.
            (Data::Single(x), Data::Single(y)) => Data::Single(
                pairs.map(|(i, j)| self.of_numbers(f64::from(x[i]), f64::from(y[j])) as f32).collect(),
            ),
            (Data::Double(x), Data::Double(y)) => {
                Data::Double(pairs.map(|(i, j)| self.of_numbers(x[i], y[j])).collect())
            }
            (Data::Integer(x), Data::Integer(y)) => {
                Data::Integer(pairs.map(|(i, j)| self.of_integers(x[i], y[j])).collect::<Result<_, _>>()?)
            }
            (x, y) => return Err(format!("it takes numbers of one type, not {} and {}", x.name(), y.name())),
        };
        Ok(Tensor { shape, data })
    }
}

fn binary(operation: Arithmetic) -> Result<Kernel, String> {
    Ok(Box::new(move |inputs, _| Ok(vec![operation.apply(input(inputs, 0)?, input(inputs, 1)?)?])))
}

fn sum() -> Result<Kernel, String> {
    Ok(Box::new(|inputs, _| {
        let mut sum = input(inputs, 0)?.clone();
        for index in 1..inputs.len() {
            sum = Arithmetic::Add.apply(&sum, input(inputs, index)?)?;
        }
        Ok(vec![sum])
    }))
}

/// Compares numbers; nothing is greater than NaN, or equal to it.
fn greater_or_equal() -> Result<Kernel, String> {
    Ok(Box::new(|inputs, _| {
        let (left, right) = (input(inputs, 0)?, input(inputs, 1)?);
        let shape = broadcast(&left.shape, &right.shape)?;
        let count = elements(&shape)?;
        let (a, b) = (strides(&left.shape, &shape), strides(&right.shape, &shape));
        let (x, y) = (left.numbers()?, right.numbers()?);
        let compare = |place| x[source(place, &shape, &a)] >= y[source(place, &shape, &b)];
        Ok(vec![Tensor { data: Data::Boolean((0..count).map(compare).collect()), shape }])
    }))
}

/// The shape of two shapes as NumPy broadcasts them.
fn broadcast(left: &[usize], right: &[usize]) -> Result<Vec<usize>, String> {
    let rank = left.len().max(right.len());
    let size =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (size(left, axis), size(right, axis)) {
            (a, b) if a == b => Ok(a),
            (1, b) => Ok(b),
            (a, 1) => Ok(a),
            _ => Err(format!("the shapes {left:?} and {right:?} do not fit")),
        })
        .collect()
}

/// For each axis of the result, how far apart its neighbours are in a tensor of this shape.
fn strides(shape: &[usize], result: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; result.len()];
    let mut stride = 1;
    for (axis, &size) in shape.iter().enumerate().rev() {
        strides[result.len() - shape.len() + axis] = if size == 1 { 0 } else { stride };
        stride *= size;
    }
    strides
}

/// The place in a tensor of these strides that a place of the result comes from.
fn source(mut place: usize, result: &[usize], strides: &[usize]) -> usize {
    let mut source = 0;
    for (&size, &stride) in result.iter().zip(strides).rev() {
        source += place % size * stride;
        place /= size;
    }
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_that_are_not_evaluated_are_refused_by_name() {
        let refused = |operator: &'static str, domain: &str, is_graph: bool| {
            let attributes = vec![("body", Attribute { is_graph, ..Attribute::default() })];
            let node = NodeProto { operator, attributes, ..NodeProto::default() };
            build(&node, domain, 17).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(refused("Loop", "", true).contains("the operator Loop, which holds graphs of its own"));
        assert!(refused("Conv", "", false).starts_with("ONNX model with the operator Conv: "));
        assert!(
            refused("Magic", "com.acme", false).starts_with("ONNX model with the operator Magic of com.acme")
        );
        // Of the right name and the wrong domain.
        assert!(refused("Scaler", "", false).starts_with("ONNX model with the operator Scaler: "));
        assert_eq!(refused("Scaler", "ai.onnx.ml", false), "");
    }

    #[test]
    fn shapes_are_broadcast_as_numpy_does() {
        let tensor = |shape: &[usize]| {
            let count = shape.iter().product::<usize>();
            Tensor { shape: shape.to_vec(), data: Data::Integer((0..count as i64).collect()) }
        };
        type Expected = Result<(&'static [usize], &'static [i64]), &'static str>;
        let cases: [(&[usize], &[usize], Expected); 5] = [
            (&[2, 2], &[2], Ok((&[2, 2], &[0, 2, 2, 4]))),
            (&[2, 1], &[1, 3], Ok((&[2, 3], &[0, 1, 2, 1, 2, 3]))),
            (&[], &[2], Ok((&[2], &[0, 1]))),
            (&[0, 3], &[3], Ok((&[0, 3], &[]))),
            (&[2], &[3], Err("the shapes [2] and [3] do not fit")),
        ];
        for (left, right, expected) in cases {
            let given = Arithmetic::Add.apply(&tensor(left), &tensor(right));
            let expected = expected
                .map(|(shape, data)| Tensor { shape: shape.to_vec(), data: Data::Integer(data.to_vec()) });
            assert_eq!(given, expected.map_err(str::to_owned), "{left:?} {right:?}");
        }
    }
}
