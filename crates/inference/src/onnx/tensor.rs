//! Values between the operators of a graph.

use std::sync::Arc;

/// Most numbers of one tensor: a hostile graph multiplies shapes.
pub(crate) const MAX_ELEMENTS: usize = 1 << 24;

/// Numbers or texts with a shape, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Sizes of the axes, rows first.
    pub shape: Vec<usize>,
    /// As many elements as the sizes make.
    pub data: Data,
}

/// The elements of a tensor; all integer types are 64 bits wide here.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Of 32 bits.
    Single(Vec<f32>),
    /// Of 64 bits.
    Double(Vec<f64>),
    /// Of any width in the file.
    Integer(Vec<i64>),
    /// Truth values.
    Boolean(Vec<bool>),
    /// Texts.
    Text(Vec<Arc<str>>),
}

impl Data {
    pub(crate) fn len(&self) -> usize {
        match self {
            Data::Single(data) => data.len(),
            Data::Double(data) => data.len(),
            Data::Integer(data) => data.len(),
            Data::Boolean(data) => data.len(),
            Data::Text(data) => data.len(),
        }
    }

    /// The name of its type in ONNX.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Data::Single(_) => "float",
            Data::Double(_) => "double",
            Data::Integer(_) => "int64",
            Data::Boolean(_) => "bool",
            Data::Text(_) => "string",
        }
    }

    /// The elements at these places.
    pub(crate) fn pick(&self, places: impl Iterator<Item = usize>) -> Data {
        match self {
            Data::Single(data) => Data::Single(places.map(|place| data[place]).collect()),
            Data::Double(data) => Data::Double(places.map(|place| data[place]).collect()),
            Data::Integer(data) => Data::Integer(places.map(|place| data[place]).collect()),
            Data::Boolean(data) => Data::Boolean(places.map(|place| data[place]).collect()),
            Data::Text(data) => Data::Text(places.map(|place| Arc::clone(&data[place])).collect()),
        }
    }
}

impl Tensor {
    /// Checks that the shape has as many elements as there are.
    pub(crate) fn new(shape: Vec<usize>, data: Data) -> Result<Tensor, String> {
        let elements = elements(&shape)?;
        if elements == data.len() {
            Ok(Tensor { shape, data })
        } else {
            Err(format!("{} elements do not have the shape {shape:?}", data.len()))
        }
    }

    /// The elements as doubles, each exact but for integers beyond 2^53.
    pub(crate) fn numbers(&self) -> Result<Vec<f64>, String> {
        match &self.data {
            Data::Single(data) => Ok(data.iter().map(|&value| f64::from(value)).collect()),
            Data::Double(data) => Ok(data.clone()),
            Data::Integer(data) => Ok(data.iter().map(|&value| value as f64).collect()),
            Data::Boolean(data) => Ok(data.iter().map(|&value| f64::from(u8::from(value))).collect()),
            Data::Text(_) => Err("it takes numbers, not texts".to_owned()),
        }
    }

    pub(crate) fn integers(&self) -> Result<&[i64], String> {
        match &self.data {
            Data::Integer(data) => Ok(data),
            other => Err(format!("it takes int64, not {}", other.name())),
        }
    }

    /// Rows and columns of a matrix; a vector is one row.
    pub(crate) fn matrix(&self) -> Result<(usize, usize), String> {
        match self.shape[..] {
            [columns] => Ok((1, columns)),
            [rows, columns] => Ok((rows, columns)),
            _ => Err(format!("it takes a matrix, not the shape {:?}", self.shape)),
        }
    }

    /// An axis counted from the front.
    pub(crate) fn axis(&self, axis: i64) -> Result<usize, String> {
        let rank = self.shape.len() as i64;
        let counted = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&counted) {
            Ok(counted as usize)
        } else {
            Err(format!("axis {axis} of the shape {:?}", self.shape))
        }
    }

    /// Elements before, along and after an axis.
    pub(crate) fn around(&self, axis: usize) -> (usize, usize, usize) {
        let product = |sizes: &[usize]| sizes.iter().product::<usize>();
        (product(&self.shape[..axis]), self.shape[axis], product(&self.shape[axis + 1..]))
    }
}

/// Number of elements of a shape.
pub(crate) fn elements(shape: &[usize]) -> Result<usize, String> {
    // An empty axis hides no large one: products of some of the axes are taken too.
    let product = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size.max(1)));
    match product {
        Some(product) if product <= MAX_ELEMENTS => Ok(shape.iter().product()),
        _ => Err(format!("the shape {shape:?} has more than {MAX_ELEMENTS} elements")),
    }
}
