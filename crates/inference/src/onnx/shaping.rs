//! Operators that move elements or change their type.

use std::sync::Arc;

use super::operators::{Kernel, Node, input};
use super::tensor::{Data, Tensor, elements};

pub(crate) fn cast(node: &Node) -> Result<Kernel, String> {
    let to = node.integer("to", 0);
    if !matches!(to, 1 | 6 | 7 | 8 | 9 | 11) {
        return Err(format!("it casts to the element type {to}"));
    }
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let data = match (&tensor.data, to) {
            (Data::Integer(data), 1) => Data::Single(data.iter().map(|&value| value as f32).collect()),
            (Data::Text(_), 8) => tensor.data.clone(),
            (Data::Integer(data), 8) => {
                Data::Text(data.iter().map(|value| Arc::from(value.to_string())).collect())
            }
            (Data::Integer(data), 7) => Data::Integer(data.clone()),
            (_, 1) => Data::Single(tensor.numbers()?.iter().map(|&value| value as f32).collect()),
            (_, 11) => Data::Double(tensor.numbers()?),
            (_, 7) => Data::Integer(tensor.numbers()?.iter().map(|&value| value as i64).collect()),
            (_, 6) => Data::Integer(tensor.numbers()?.iter().map(|&value| i64::from(value as i32)).collect()),
            (_, 9) => Data::Boolean(tensor.numbers()?.iter().map(|&value| value != 0.0).collect()),
            (data, _) => return Err(format!("it casts {} to text", data.name())),
        };
        Ok(vec![Tensor { shape: tensor.shape.clone(), data }])
    }))
}

pub(crate) fn concat(node: &Node) -> Result<Kernel, String> {
    let axis = node.integer("axis", 1);
    Ok(Box::new(move |inputs, _| {
        let first = input(inputs, 0)?;
        let axis = first.axis(axis)?;
        let tensors = (0..inputs.len()).map(|index| input(inputs, index)).collect::<Result<Vec<_>, _>>()?;
        let mut shape = first.shape.clone();
        shape[axis] = 0;
        for tensor in &tensors {
            let mut rest = tensor.shape.clone();
            let size = rest.get_mut(axis).map(|size| std::mem::replace(size, 0)).unwrap_or(0);
            let mut expected = shape.clone();
            expected[axis] = 0;
            if rest != expected || std::mem::discriminant(&tensor.data) != std::mem::discriminant(&first.data)
            {
                return Err(format!("its inputs are {:?} and {:?}", first.shape, tensor.shape));
            }
            shape[axis] += size;
        }
        elements(&shape)?;
        let before: usize = shape[..axis].iter().product();
        // What is picked is numbered through all inputs.
        let mut starts = vec![0];
        tensors.iter().for_each(|tensor| starts.push(starts[starts.len() - 1] + tensor.data.len()));
        let all = joined(&tensors);
        let places = (0..before).flat_map(|row| {
            tensors.iter().zip(&starts).flat_map(move |(tensor, start)| {
                let length = tensor.data.len() / before.max(1);
                start + row * length..start + (row + 1) * length
            })
        });
        let data = all.pick(places);
        Ok(vec![Tensor::new(shape, data)?])
    }))
}

/// The elements of tensors of one type, one tensor after another.
fn joined(tensors: &[&Tensor]) -> Data {
    let mut all = tensors[0].data.clone();
    for tensor in &tensors[1..] {
        match (&mut all, &tensor.data) {
            (Data::Single(all), Data::Single(data)) => all.extend_from_slice(data),
            (Data::Double(all), Data::Double(data)) => all.extend_from_slice(data),
            (Data::Integer(all), Data::Integer(data)) => all.extend_from_slice(data),
            (Data::Boolean(all), Data::Boolean(data)) => all.extend_from_slice(data),
            (Data::Text(all), Data::Text(data)) => all.extend_from_slice(data),
            _ => unreachable!("the types were compared"),
        }
    }
    all
}

pub(crate) fn reshape(node: &Node) -> Result<Kernel, String> {
    if node.integer("allowzero", 0) != 0 {
        return Err("allowzero is not known".to_owned());
    }
    Ok(Box::new(|inputs, _| {
        let tensor = input(inputs, 0)?;
        let wanted = input(inputs, 1)?.integers()?;
        let mut shape = Vec::with_capacity(wanted.len());
        let mut open = None;
        for (axis, &size) in wanted.iter().enumerate() {
            shape.push(match size {
                0 => *tensor.shape.get(axis).ok_or_else(|| format!("axis {axis} of {:?}", tensor.shape))?,
                -1 if open.is_none() => {
                    open = Some(axis);
                    1
                }
                size => usize::try_from(size).map_err(|_| format!("the shape {wanted:?}"))?,
            });
        }
        if let Some(axis) = open {
            let known = elements(&shape)?;
            shape[axis] = tensor.data.len().checked_div(known).unwrap_or(0);
        }
        Ok(vec![Tensor::new(shape, tensor.data.clone())?])
    }))
}

pub(crate) fn gather(node: &Node) -> Result<Kernel, String> {
    let axis = node.integer("axis", 0);
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let indices = input(inputs, 1)?;
        let axis = tensor.axis(axis)?;
        let places = picked(tensor, axis, indices.integers()?)?;
        let shape = [&tensor.shape[..axis], &indices.shape, &tensor.shape[axis + 1..]].concat();
        elements(&shape)?;
        Ok(vec![Tensor::new(shape, tensor.data.pick(places.into_iter()))?])
    }))
}

/// The places of the slices of these indices along an axis.
fn picked(tensor: &Tensor, axis: usize, indices: &[i64]) -> Result<Vec<usize>, String> {
    let (before, size, after) = tensor.around(axis);
    elements(&[before, indices.len(), after])?;
    let index = |&index: &i64| {
        let counted = if index < 0 { index + size as i64 } else { index };
        let counted = usize::try_from(counted).ok().filter(|&counted| counted < size);
        counted.ok_or_else(|| format!("index {index} of {size}"))
    };
    let indices = indices.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    let mut places = Vec::with_capacity(before * indices.len() * after);
    for outer in 0..before {
        for index in &indices {
            let start = (outer * size + index) * after;
            places.extend(start..start + after);
        }
    }
    Ok(places)
}

pub(crate) fn array_feature_extractor() -> Result<Kernel, String> {
    Ok(Box::new(|inputs, _| {
        let tensor = input(inputs, 0)?;
        let indices = input(inputs, 1)?.integers()?;
        let axis = tensor.axis(-1)?;
        let places = picked(tensor, axis, indices)?;
        let mut shape = tensor.shape.clone();
        shape[axis] = indices.len();
        if shape.len() == 1 {
            shape.insert(0, 1);
        }
        Ok(vec![Tensor::new(shape, tensor.data.pick(places.into_iter()))?])
    }))
}

pub(crate) fn slice(node: &Node) -> Result<Kernel, String> {
    if node.version < 10 {
        return Err(format!("version {} of the operators; expected 10 or later", node.version));
    }
    Ok(Box::new(|inputs, _| {
        let tensor = input(inputs, 0)?;
        let starts = input(inputs, 1)?.integers()?;
        let ends = input(inputs, 2)?.integers()?;
        let axes = match inputs.get(3).copied().flatten() {
            Some(axes) => axes.integers()?.to_vec(),
            None => (0..starts.len() as i64).collect(),
        };
        let steps = match inputs.get(4).copied().flatten() {
            Some(steps) => steps.integers()?.to_vec(),
            None => vec![1; starts.len()],
        };
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || steps.iter().any(|&step| step != 1) {
            return Err("it takes as many starts as ends, and steps of 1".to_owned());
        }
        let mut sliced = tensor.clone();
        for ((&axis, &start), &end) in axes.iter().zip(starts).zip(ends) {
            let axis = sliced.axis(axis)?;
            let size = sliced.shape[axis] as i64;
            let bound = |place: i64| {
                if place < 0 { place.saturating_add(size).max(0) } else { place.min(size) }
            };
            let indices: Vec<i64> = (bound(start)..bound(end)).collect();
            let places = picked(&sliced, axis, &indices)?;
            sliced.data = sliced.data.pick(places.into_iter());
            sliced.shape[axis] = indices.len();
        }
        Ok(vec![sliced])
    }))
}

pub(crate) fn arg_max(node: &Node) -> Result<Kernel, String> {
    if node.integer("select_last_index", 0) != 0 {
        return Err("select_last_index is not known".to_owned());
    }
    let (axis, keeps) = (node.integer("axis", 0), node.integer("keepdims", 1) != 0);
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let axis = tensor.axis(axis)?;
        let values = tensor.numbers()?;
        let (before, size, after) = tensor.around(axis);
        if size == 0 {
            return Err(format!("it takes the largest of none in the shape {:?}", tensor.shape));
        }
        let mut best = Vec::with_capacity(before * after);
        for outer in 0..before {
            for inner in 0..after {
                let at = |index: usize| values[(outer * size + index) * after + inner];
                let first = (1..size).fold(0, |best, index| if at(index) > at(best) { index } else { best });
                best.push(first as i64);
            }
        }
        Ok(vec![Tensor::new(reduced(&tensor.shape, &[axis], keeps), Data::Integer(best))?])
    }))
}

/// A shape without some axes, or with 1 in their places.
fn reduced(shape: &[usize], axes: &[usize], keeps: bool) -> Vec<usize> {
    let size = |(axis, &size): (usize, &usize)| match (axes.contains(&axis), keeps) {
        (false, _) => Some(size),
        (true, true) => Some(1),
        (true, false) => None,
    };
    shape.iter().enumerate().filter_map(size).collect()
}

pub(crate) fn reduce_sum(node: &Node) -> Result<Kernel, String> {
    let keeps = node.integer("keepdims", 1) != 0;
    let of_node = node.integers("axes").map(<[i64]>::to_vec);
    Ok(Box::new(move |inputs, _| {
        let tensor = input(inputs, 0)?;
        let axes = match (&of_node, inputs.get(1).copied().flatten()) {
            (Some(axes), _) => axes.clone(),
            (None, Some(axes)) => axes.integers()?.to_vec(),
            (None, None) => (0..tensor.shape.len() as i64).collect(),
        };
        let [axis] = axes[..] else { return Err(format!("it takes one axis, not {axes:?}")) };
        let axis = tensor.axis(axis)?;
        let (before, size, after) = tensor.around(axis);
        let values = tensor.numbers()?;
        let single = matches!(tensor.data, Data::Single(_));
        let mut sums = vec![0.0_f64; before * after];
        for (place, sum) in sums.iter_mut().enumerate() {
            let (outer, inner) = (place / after, place % after);
            for index in 0..size {
                *sum += values[(outer * size + index) * after + inner];
                if single {
                    *sum = f64::from(*sum as f32);
                }
            }
        }
        let data = match &tensor.data {
            Data::Single(_) => Data::Single(sums.iter().map(|&sum| sum as f32).collect()),
            Data::Double(_) => Data::Double(sums),
            other => return Err(format!("it takes float or double, not {}", other.name())),
        };
        Ok(vec![Tensor::new(reduced(&tensor.shape, &[axis], keeps), data)?])
    }))
}
