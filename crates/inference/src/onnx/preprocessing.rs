//! What stands before a model: filling, scaling, encoding.

use std::collections::HashMap;
use std::sync::Arc;

use super::linear::class_labels;
use super::operators::{Kernel, Node, input};
use super::tensor::{Data, Tensor, elements};

/// One of a list by its column; a list of one is for all columns.
fn by_column<T: Copy>(list: &[T], place: usize, columns: usize) -> Result<T, String> {
    match list {
        [one] => Ok(*one),
        _ if list.len() == columns => Ok(list[place % columns]),
        _ => Err(format!("it has {} values for {columns} columns", list.len())),
    }
}

pub(crate) fn imputer(node: &Node) -> Result<Kernel, String> {
    let values = node.floats("imputed_value_floats");
    let values = values.ok_or("it fills integers; expected numbers")?.to_vec();
    let replaced = node.float("replaced_value_float", 0.0);
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let (_, columns) = tensor.matrix()?;
        let Data::Single(data) = &tensor.data else {
            return Err(format!("it takes float, not {}", tensor.data.name()));
        };
        let fill = |(place, &value): (usize, &f32)| {
            let is_missing = value == replaced || (value.is_nan() && replaced.is_nan());
            if is_missing { by_column(&values, place, columns) } else { Ok(value) }
        };
        let data = data.iter().enumerate().map(fill).collect::<Result<_, _>>()?;
        Ok(vec![Tensor { shape: tensor.shape.clone(), data: Data::Single(data) }])
    }))
}

pub(crate) fn scaler(node: &Node) -> Result<Kernel, String> {
    let offset = node.floats("offset").unwrap_or(&[0.0]).to_vec();
    let scale = node.floats("scale").unwrap_or(&[1.0]).to_vec();
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let (_, columns) = tensor.matrix()?;
        let scaled = |(place, value): (usize, &f64)| {
            let offset = by_column(&offset, place, columns)?;
            let scale = by_column(&scale, place, columns)?;
            Ok((*value as f32 - offset) * scale)
        };
        let data = tensor.numbers()?.iter().enumerate().map(scaled).collect::<Result<_, String>>()?;
        Ok(vec![Tensor { shape: tensor.shape.clone(), data: Data::Single(data) }])
    }))
}

pub(crate) fn normalizer(node: &Node) -> Result<Kernel, String> {
    let norm: fn(&[f64]) -> f64 = match node.text("norm", "MAX")? {
        "MAX" => |row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "L1" => |row| row.iter().map(|x| x.abs()).sum(),
        "L2" => |row| row.iter().map(|x| x * x).sum::<f64>().sqrt(),
        other => return Err(format!("the norm {other:?}; expected MAX, L1 or L2")),
    };
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let (_, columns) = tensor.matrix()?;
        let mut data = Vec::with_capacity(tensor.data.len());
        for row in tensor.numbers()?.chunks_exact(columns.max(1)) {
            let norm = norm(row);
            data.extend(row.iter().map(|x| if norm == 0.0 { *x as f32 } else { (x / norm) as f32 }));
        }
        Ok(vec![Tensor { shape: tensor.shape.clone(), data: Data::Single(data) }])
    }))
}

/// Finds the category of an element.
type Find = Box<dyn Fn(&Data, usize) -> Result<Option<usize>, String> + Send + Sync>;

pub(crate) fn one_hot_encoder(node: &Node) -> Result<Kernel, String> {
    let levels = class_labels(node, "cats_int64s", "cats_strings")?;
    let zeros = node.integer("zeros", 1) != 0;
    let categories = levels.len();
    let find: Find = match levels {
        Data::Text(levels) => {
            let places: HashMap<Arc<str>, usize> = levels.into_iter().zip(0..).collect();
            Box::new(move |data, place| match data {
                Data::Text(data) => Ok(places.get(&data[place]).copied()),
                other => Err(format!("it takes texts, not {}", other.name())),
            })
        }
        Data::Integer(levels) => {
            let places: HashMap<i64, usize> = levels.into_iter().zip(0..).collect();
            Box::new(move |data, place| match data {
                Data::Integer(data) => Ok(places.get(&data[place]).copied()),
                Data::Single(data) => Ok(places.get(&(data[place] as i64)).copied()),
                Data::Double(data) => Ok(places.get(&(data[place] as i64)).copied()),
                other => Err(format!("it takes integers, not {}", other.name())),
            })
        }
        other => return Err(format!("it has categories of {}", other.name())),
    };
    Ok(Box::new(move |inputs, lenient| {
        let tensor = input(inputs, 0)?;
        let shape = [&tensor.shape[..], &[categories]].concat();
        let mut data = vec![0.0; elements(&shape)?];
        for (place, row) in data.chunks_exact_mut(categories).enumerate() {
            match find(&tensor.data, place)? {
                Some(category) => row[category] = 1.0,
                None if zeros || lenient => {}
                None => return Err("a level is not one of those in training, and zeros=0".to_owned()),
            }
        }
        Ok(vec![Tensor { shape, data: Data::Single(data) }])
    }))
}

/// A key of [`label_encoder`]: numbers by their bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Text(Arc<str>),
    Integer(i64),
    Single(u32),
}

fn keys(data: &Data) -> Result<Vec<Key>, String> {
    match data {
        Data::Text(data) => Ok(data.iter().map(|text| Key::Text(Arc::clone(text))).collect()),
        Data::Integer(data) => Ok(data.iter().map(|&integer| Key::Integer(integer)).collect()),
        Data::Single(data) => Ok(data.iter().map(|&number| single(number)).collect()),
        other => Err(format!("it takes texts, integers or float, not {}", other.name())),
    }
}

/// All NaN are one key, and so are the two zeros.
fn single(number: f32) -> Key {
    Key::Single(if number.is_nan() { f32::NAN.to_bits() } else { (number + 0.0).to_bits() })
}

pub(crate) fn label_encoder(node: &Node) -> Result<Kernel, String> {
    if node.version < 2 {
        return Err(format!("version {} of the operators; expected 2 or later", node.version));
    }
    let from = list(node, "keys")?.ok_or("it has no keys")?;
    let to = list(node, "values")?.ok_or("it has no values")?;
    if from.len() != to.len() {
        return Err(format!("it has {} keys and {} values", from.len(), to.len()));
    }
    // The default is the last of the values.
    let mut values = to;
    let default = values.len();
    match &mut values {
        Data::Text(values) => values.push(Arc::from(node.text("default_string", "_Unused")?)),
        Data::Integer(values) => values.push(node.integer("default_int64", -1)),
        Data::Single(values) => values.push(node.float("default_float", -0.0)),
        other => return Err(format!("it has values of {}", other.name())),
    }
    if let Some(tensor) = node.tensor("default_tensor") {
        if tensor.data.len() != 1 || tensor.data.name() != values.name() {
            return Err("its default is of another type than its values".to_owned());
        }
        let with_default = |place| if place == default { None } else { Some(place) };
        let kept = values.pick((0..default).filter_map(with_default));
        values = match (kept, &tensor.data) {
            (Data::Text(kept), Data::Text(last)) => Data::Text([kept, last.clone()].concat()),
            (Data::Integer(kept), Data::Integer(last)) => Data::Integer([kept, last.clone()].concat()),
            (Data::Single(kept), Data::Single(last)) => Data::Single([kept, last.clone()].concat()),
            _ => return Err("its default is of another type than its values".to_owned()),
        };
    }
    let places: HashMap<Key, usize> = keys(&from)?.into_iter().zip(0..).collect();
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let chosen: Vec<usize> =
            keys(&tensor.data)?.iter().map(|key| places.get(key).copied().unwrap_or(default)).collect();
        Ok(vec![Tensor { shape: tensor.shape.clone(), data: values.pick(chosen.into_iter()) }])
    }))
}

/// The keys or values of an encoder, in whichever attribute they are.
fn list(node: &Node, what: &str) -> Result<Option<Data>, String> {
    if let Some(tensor) = node.tensor(&format!("{what}_tensor")) {
        return Ok(Some(tensor.data.clone()));
    }
    if let Some(integers) = node.integers(&format!("{what}_int64s")) {
        return Ok(Some(Data::Integer(integers.to_vec())));
    }
    if let Some(floats) = node.floats(&format!("{what}_floats")) {
        return Ok(Some(Data::Single(floats.to_vec())));
    }
    let texts = node.texts(&format!("{what}_strings"))?;
    Ok(texts.map(|texts| Data::Text(texts.into_iter().map(Arc::from).collect())))
}
