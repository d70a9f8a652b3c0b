//! Values into onnxruntime and out of it.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use ort::session::SessionInputValue;
use ort::value::{
    DynMapValueType, DynSequenceValueType, DynValue, IntoTensorElementType, PrimitiveTensorElementType,
    Shape, Tensor as OrtTensor, TensorElementType, ValueType,
};
use streamflow_inference::{Tensor, TensorData};

/// An input of the type that the graph declares.
///
/// # Errors
/// An integer that does not fit into 32 bits; what onnxruntime says.
pub fn given(tensor: Tensor, kind: Option<TensorElementType>) -> Result<SessionInputValue<'static>, String> {
    let Tensor { shape, data } = tensor;
    let value = match data {
        TensorData::Single(data) => OrtTensor::from_array((shape, data)).map(OrtTensor::into_dyn),
        TensorData::Double(data) => OrtTensor::from_array((shape, data)).map(OrtTensor::into_dyn),
        TensorData::Boolean(data) => OrtTensor::from_array((shape, data)).map(OrtTensor::into_dyn),
        TensorData::Integer(data) if kind == Some(TensorElementType::Int32) => {
            let narrow =
                |number| i32::try_from(number).map_err(|_| format!("{number} has more than 32 bits"));
            let data: Vec<i32> = data.into_iter().map(narrow).collect::<Result<_, _>>()?;
            OrtTensor::from_array((shape, data)).map(OrtTensor::into_dyn)
        }
        TensorData::Integer(data) => OrtTensor::from_array((shape, data)).map(OrtTensor::into_dyn),
        TensorData::Text(data) => {
            let texts: Vec<String> = data.iter().map(|text| text.to_string()).collect();
            OrtTensor::from_string_array((shape, texts.as_slice())).map(OrtTensor::into_dyn)
        }
    };
    value.map(SessionInputValue::from).map_err(|error| error.to_string())
}

/// An output as a tensor; a list of maps, as scikit-learn's converter makes them of probabilities, is a matrix.
///
/// # Errors
/// A value of another type; what onnxruntime says.
pub fn computed(value: DynValue) -> Result<Tensor, String> {
    match value.dtype() {
        ValueType::Tensor { ty, .. } => tensor(&value, *ty),
        ValueType::Sequence(of) => match of.as_ref() {
            ValueType::Map { key: TensorElementType::Int64, value: TensorElementType::Float32 } => {
                maps::<i64>(value)
            }
            ValueType::Map { key: TensorElementType::String, value: TensorElementType::Float32 } => {
                maps::<String>(value)
            }
            other => Err(format!("a list of {other} is no answer; convert the model with zipmap=False")),
        },
        other => Err(format!("{other} is no answer; expected a tensor")),
    }
}

fn tensor(value: &DynValue, kind: TensorElementType) -> Result<Tensor, String> {
    let (shape, data) = match kind {
        TensorElementType::Float32 => numbers(value, |number: &f32| *number, TensorData::Single)?,
        TensorElementType::Float64 => numbers(value, |number: &f64| *number, TensorData::Double)?,
        TensorElementType::Int32 => numbers(value, |number: &i32| i64::from(*number), TensorData::Integer)?,
        TensorElementType::Int64 => numbers(value, |number: &i64| *number, TensorData::Integer)?,
        TensorElementType::Bool => numbers(value, |truth: &bool| *truth, TensorData::Boolean)?,
        TensorElementType::String => {
            let (shape, texts) = value.try_extract_strings().map_err(|error| error.to_string())?;
            (shape, TensorData::Text(texts.into_iter().map(Arc::from).collect()))
        }
        other => {
            return Err(format!("a tensor of {other} is no answer; expected numbers, truth values or texts"));
        }
    };
    let size = |size: &i64| usize::try_from(*size).map_err(|_| format!("an axis has the size {size}"));
    Ok(Tensor { shape: shape.iter().map(size).collect::<Result<_, _>>()?, data })
}

fn numbers<T: PrimitiveTensorElementType + 'static, U>(
    value: &DynValue,
    as_wide: impl Fn(&T) -> U,
    data: impl Fn(Vec<U>) -> TensorData,
) -> Result<(&Shape, TensorData), String> {
    let (shape, numbers) = value.try_extract_tensor::<T>().map_err(|error| error.to_string())?;
    Ok((shape, data(numbers.iter().map(as_wide).collect())))
}

/// A matrix with a row for each map, its columns in the order of the keys, which are the same in all of them.
fn maps<K>(value: DynValue) -> Result<Tensor, String>
where
    K: IntoTensorElementType + Clone + Hash + Ord + Debug + 'static,
{
    let list = value.downcast::<DynSequenceValueType>().map_err(|error| error.to_string())?;
    let rows = list.try_extract_sequence::<DynMapValueType>().map_err(|error| error.to_string())?;
    let count = rows.len();
    let (mut columns, mut numbers) = (None::<Vec<K>>, Vec::with_capacity(count));
    for row in rows {
        let mut cells = row.try_extract_key_values::<K, f32>().map_err(|error| error.to_string())?;
        cells.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (keys, of_row): (Vec<K>, Vec<f32>) = cells.into_iter().unzip();
        if *columns.get_or_insert_with(|| keys.clone()) != keys {
            return Err(format!("its maps have different keys, such as {keys:?}"));
        }
        numbers.extend(of_row);
    }
    let width = columns.map_or(0, |keys| keys.len());
    Ok(Tensor { shape: vec![count, width], data: TensorData::Single(numbers) })
}
