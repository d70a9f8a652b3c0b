//! Products with weights: linear models and the layers of small networks.

use std::sync::Arc;

use super::ensemble::Post;
use super::operators::{Kernel, Node, input};
use super::tensor::{Data, Tensor, elements};
use crate::link::{Width, arg_max, softmax as softmax_of};

pub(crate) fn matmul() -> Result<Kernel, String> {
    Ok(Box::new(|inputs, _| {
        let (left, right) = (input(inputs, 0)?, input(inputs, 1)?);
        let ([rows, inner], [also_inner, columns]) = (&left.shape[..], &right.shape[..]) else {
            return Err(format!("it takes two matrices, not {:?} and {:?}", left.shape, right.shape));
        };
        if inner != also_inner {
            return Err(format!("the shapes {:?} and {:?} do not fit", left.shape, right.shape));
        }
        let shape = vec![*rows, *columns];
        let mut sums = vec![0.0; elements(&shape)?];
        let data = match (&left.data, &right.data) {
            (Data::Single(_), Data::Single(_)) | (Data::Double(_), Data::Double(_)) => {
                let (left, right) = (left.numbers()?, right.numbers()?);
                for row in 0..*rows {
                    for index in 0..*inner {
                        let factor = left[row * inner + index];
                        let weights = &right[index * columns..][..*columns];
                        let sums = &mut sums[row * columns..][..*columns];
                        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += factor * weight);
                    }
                }
                sums
            }
            (x, y) => return Err(format!("it takes float or double, not {} and {}", x.name(), y.name())),
        };
        Ok(vec![Tensor { shape, data: like(&left.data, data) }])
    }))
}

/// Numbers in the width of others.
fn like(other: &Data, numbers: Vec<f64>) -> Data {
    match other {
        Data::Double(_) => Data::Double(numbers),
        _ => Data::Single(numbers.into_iter().map(|number| number as f32).collect()),
    }
}

pub(crate) fn softmax(node: &Node) -> Result<Kernel, String> {
    let axis = node.integer("axis", if node.version >= 13 { -1 } else { 1 });
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        if tensor.axis(axis)? + 1 != tensor.shape.len() {
            return Err(format!("axis {axis} of the shape {:?}; expected the last", tensor.shape));
        }
        let width = if matches!(tensor.data, Data::Double(_)) { Width::Double } else { Width::Single };
        let mut values = tensor.numbers()?;
        let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
        values.chunks_exact_mut(columns).for_each(|row| softmax_of(row, width));
        Ok(vec![Tensor { shape: tensor.shape.clone(), data: like(&tensor.data, values) }])
    }))
}

/// Weights of each output and what is added.
struct Weights {
    outputs: usize,
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    post: Post,
}

impl Weights {
    fn of(node: &Node, outputs: usize) -> Result<Weights, String> {
        let coefficients = node.floats("coefficients").unwrap_or_default().to_vec();
        let intercepts = node.floats("intercepts").unwrap_or_default().to_vec();
        if outputs == 0 || coefficients.is_empty() || !coefficients.len().is_multiple_of(outputs) {
            return Err(format!("it has {} coefficients for {outputs} outputs", coefficients.len()));
        }
        if !intercepts.is_empty() && intercepts.len() != outputs {
            return Err(format!("it has {} intercepts for {outputs} outputs", intercepts.len()));
        }
        Ok(Weights { outputs, coefficients, intercepts, post: Post::of(node)? })
    }

    /// Scores of each row, before what follows them.
    fn scores(&self, tensor: &Tensor) -> Result<(usize, Vec<f64>), String> {
        let (rows, columns) = tensor.matrix()?;
        if columns * self.outputs != self.coefficients.len() {
            let weights = self.coefficients.len() / self.outputs;
            return Err(format!("it has {weights} coefficients for {columns} columns"));
        }
        elements(&[rows, self.outputs])?;
        let values = tensor.numbers()?;
        let mut scores = Vec::with_capacity(rows * self.outputs);
        for row in values.chunks_exact(columns) {
            for (output, weights) in self.coefficients.chunks_exact(columns).enumerate() {
                let product: f64 = row.iter().zip(weights).map(|(x, &weight)| x * f64::from(weight)).sum();
                let intercept = self.intercepts.get(output).copied().unwrap_or(0.0);
                scores.push(f64::from((product + f64::from(intercept)) as f32));
            }
        }
        Ok((rows, scores))
    }
}

fn singles(numbers: Vec<f64>) -> Data {
    Data::Single(numbers.into_iter().map(|number| number as f32).collect())
}

pub(crate) fn regressor(node: &Node) -> Result<Kernel, String> {
    let outputs = usize::try_from(node.integer("targets", 1)).unwrap_or(0);
    let weights = Weights::of(node, outputs)?;
    Ok(Box::new(move |inputs, _| {
        let (rows, mut scores) = weights.scores(input(inputs, 0)?)?;
        scores.chunks_exact_mut(outputs).for_each(|row| weights.post.apply(row, Width::Single));
        Ok(vec![Tensor::new(vec![rows, outputs], singles(scores))?])
    }))
}

/// Names of classes as an attribute has them.
pub(crate) fn class_labels(node: &Node, integers: &str, texts: &str) -> Result<Data, String> {
    if let Some(integers) = node.integers(integers) {
        return Ok(Data::Integer(integers.to_vec()));
    }
    let texts = node.texts(texts)?.ok_or("it has no labels of its classes")?;
    Ok(Data::Text(texts.into_iter().map(Arc::from).collect()))
}

pub(crate) fn classifier(node: &Node) -> Result<Kernel, String> {
    let labels = class_labels(node, "classlabels_ints", "classlabels_strings")?;
    let outputs = labels.len();
    let weights = Weights::of(node, node.floats("intercepts").map_or(outputs, <[f32]>::len))?;
    if weights.outputs != outputs || outputs < 2 {
        return Err(format!("it has {outputs} labels and weights for {} of them", weights.outputs));
    }
    Ok(Box::new(move |inputs, _| {
        let (rows, mut scores) = weights.scores(input(inputs, 0)?)?;
        let chosen: Vec<usize> = scores.chunks_exact(outputs).map(arg_max).collect();
        scores.chunks_exact_mut(outputs).for_each(|row| weights.post.apply(row, Width::Single));
        let label = Tensor::new(vec![rows], labels.pick(chosen.into_iter()))?;
        Ok(vec![label, Tensor::new(vec![rows, outputs], singles(scores))?])
    }))
}
