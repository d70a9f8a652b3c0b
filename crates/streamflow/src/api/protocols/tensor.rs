//! Tensors of a request, over REST or gRPC, as a table: one matrix in the order of the features, or a column each.

use super::datatype::Datatype;
use super::table::{Block, Table};
use crate::api::error::ApiError;
use crate::api::json::{Json, shortened};
use crate::api::models::Target;

/// One tensor, its values in the order of its rows.
#[derive(Debug)]
pub struct Tensor<'a> {
    pub name: &'a str,
    /// Dimensions without -1; their product is the number of values.
    shape: Vec<usize>,
    values: Block<'a>,
}

/// How tensors are one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// One matrix, columns in the order of the features.
    Matrix,
    /// A column each.
    Columns,
    /// The request does not say: it is the one that fits.
    Unsaid,
}

impl Content {
    /// What `content_type` of a request says.
    ///
    /// # Errors
    /// Another word.
    pub fn of(content_type: Option<&str>) -> Result<Self, ApiError> {
        match content_type {
            None => Ok(Content::Unsaid),
            Some("np") => Ok(Content::Matrix),
            Some("pd") => Ok(Content::Columns),
            Some(other) => Err(ApiError::Input(format!(
                "content_type {:?} of the request is not known; expected \"np\" (one matrix) or \"pd\" (a column each)",
                shortened(other)
            ))),
        }
    }
}

impl<'a> Tensor<'a> {
    /// A tensor of these values. One dimension may be -1, which is then what is left.
    ///
    /// # Errors
    /// A shape that the values do not have.
    pub fn new(name: &'a str, shape: &[i64], values: Block<'a>) -> Result<Self, ApiError> {
        let shape = known_shape(shape, values.len())
            .map_err(|reason| ApiError::Input(format!("input {:?}: {reason}", shortened(name))))?;
        Ok(Self { name, shape, values })
    }

    /// The number of rows and of columns.
    ///
    /// # Errors
    /// More dimensions than two.
    fn matrix(&self) -> Result<(usize, usize), ApiError> {
        match self.shape[..] {
            [rows] => Ok((rows, 1)),
            [rows, columns] => Ok((rows, columns)),
            _ => Err(ApiError::Input(format!(
                "input {:?} has {} dimensions; expected [rows] or [rows, columns]",
                shortened(self.name),
                self.shape.len()
            ))),
        }
    }

    /// The values as one column: [rows], [rows, 1] or [1, rows].
    fn column(self) -> Result<(&'a str, Block<'a>), ApiError> {
        match self.matrix()? {
            (_, 1) | (1, _) => Ok((self.name, self.values)),
            // Without a row there is no value.
            _ if self.values.is_empty() => Ok((self.name, self.values)),
            (rows, columns) => Err(ApiError::Input(format!(
                "input {:?} has the shape [{rows}, {columns}]; a column has the shape [rows, 1] or [rows]",
                shortened(self.name)
            ))),
        }
    }
}

/// The dimensions of so many values, or why they are none.
fn known_shape(shape: &[i64], values: usize) -> Result<Vec<usize>, String> {
    let shown = || format!("{:?}", &shape[..shape.len().min(8)]);
    if shape.is_empty() {
        return Err("an empty shape has no rows; expected [rows] or [rows, columns]".to_owned());
    }
    let unknown = shape.iter().filter(|&&size| size == -1).count();
    if unknown > 1 || shape.iter().any(|&size| size < -1) {
        return Err(format!("the shape {} has more than one -1 or another negative number", shown()));
    }
    let mut known = shape.iter().filter_map(|&size| u64::try_from(size).ok());
    let product = known.try_fold(1_u64, u64::checked_mul);
    let values = values as u64;
    let fits = match (product, unknown) {
        (Some(product), 0) => product == values,
        (Some(0), _) => values == 0,
        (Some(product), _) => values.is_multiple_of(product),
        (None, _) => false,
    };
    if !fits {
        return Err(format!("the shape {} does not have the {values} values of its data", shown()));
    }
    let left = product.filter(|&product| product > 0).map_or(0, |product| values / product);
    let size = |&size: &i64| usize::try_from(size).or_else(|_| usize::try_from(left)).unwrap_or(0);
    Ok(shape.iter().map(size).collect())
}

/// Values of JSON, flat or nested, as they are of a datatype.
///
/// # Errors
/// Lists of different lengths or depths, a value of another type.
pub fn values<'a>(datatype: Datatype, data: &'a Json<'a>) -> Result<Block<'a>, String> {
    let Json::List(values) = data else { return Ok(vec![datatype.read(data)?]) };
    let mut block = Block::with_capacity(values.len());
    if !matches!(values.first(), Some(Json::List(_))) {
        for (place, value) in values.iter().enumerate() {
            block.push(datatype.read(value).map_err(|reason| format!("data[{place}]: {reason}"))?);
        }
        return Ok(block);
    }
    let mut lengths = Vec::new();
    let mut first = data;
    while let Json::List(values) = first {
        lengths.push(values.len());
        let Some(next) = values.first() else { break };
        first = next;
    }
    flatten(datatype, values, &lengths[1..], &mut block)?;
    Ok(block)
}

fn flatten<'a>(
    datatype: Datatype,
    values: &'a [Json<'a>],
    lengths: &[usize],
    block: &mut Block<'a>,
) -> Result<(), String> {
    for value in values {
        match (value, lengths) {
            (Json::List(values), [length, below @ ..]) if values.len() == *length => {
                flatten(datatype, values, below, block)?;
            }
            (Json::List(_), _) | (_, [_, ..]) => {
                return Err("the nested lists of its data have different lengths or depths".to_owned());
            }
            (value, []) => block.push(datatype.read(value)?),
        }
    }
    Ok(())
}

/// The table that tensors are for a model.
///
/// # Errors
/// Several matrices; what [`Table`] refuses.
pub fn table<'a>(
    mut tensors: Vec<Tensor<'a>>,
    content: Content,
    target: &Target,
) -> Result<Table<'a>, ApiError> {
    let is_matrix = match content {
        Content::Matrix => true,
        Content::Columns => false,
        Content::Unsaid => match &tensors[..] {
            [one] => one.shape.len() == 2 && one.shape[1] != 1 || !names_feature(one.name, target),
            _ => false,
        },
    };
    if !is_matrix {
        return Table::of_columns(tensors.into_iter().map(Tensor::column).collect::<Result<_, _>>()?);
    }
    let Some(tensor) = tensors.pop().filter(|_| tensors.is_empty()) else {
        return Err(ApiError::Input(format!(
            "the 'np' codec only supports a single input tensor ({} were received)",
            tensors.len() + 1
        )));
    };
    let (rows, columns) = tensor.matrix()?;
    Ok(Table::of_rows(rows, columns, tensor.values, None))
}

fn names_feature(name: &str, target: &Target) -> bool {
    target.declared().iter().any(|feature| feature.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_that_of_its_values() {
        let large = i64::MAX;
        for (shape, values, expected) in [
            (&[2, 3][..], 6, Ok(vec![2, 3])),
            (&[-1, 3], 6, Ok(vec![2, 3])),
            (&[0, 3], 0, Ok(vec![0, 3])),
            (&[-1, 3], 0, Ok(vec![0, 3])),
            (&[-1, 0], 0, Ok(vec![0, 0])),
            (&[2, 3], 5, Err("the shape [2, 3] does not have the 5 values of its data")),
            (&[-1, 0], 5, Err("does not have the 5 values")),
            (&[-1, 4], 6, Err("does not have the 6 values")),
            (&[-1, -1], 4, Err("more than one -1")),
            (&[-2, 2], 4, Err("another negative number")),
            (&[], 1, Err("an empty shape has no rows")),
            // 2^63 · 2^63 · 4 and 2^32 · 2^32 are 0 in 64 bits.
            (&[large, large, 4], 0, Err("does not have the 0 values")),
            (&[1 << 32, 1 << 32], 0, Err("does not have the 0 values")),
            (&[1 << 62, 4, 0], 0, Err("does not have the 0 values")),
        ] {
            match (known_shape(shape, values), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{shape:?}"),
                (Err(reason), Err(part)) => assert!(reason.contains(part), "{shape:?}: {reason}"),
                (found, _) => panic!("{shape:?} of {values}: {found:?}"),
            }
        }
    }

    #[test]
    fn data_may_be_nested_and_not_ragged() {
        let check = |text: &'static str, expected: Result<usize, &str>| {
            let data = Json::read(text.as_bytes()).unwrap().unwrap();
            let found = values(Datatype::Fp64, &data).map(|values| values.len());
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(reason), Err(part)) => assert!(reason.contains(part), "{text}: {reason}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        };
        check("[1,2,3]", Ok(3));
        check("[[1,2],[3,4]]", Ok(4));
        check("[[[1],[2]],[[3],[4]]]", Ok(4));
        check("[]", Ok(0));
        check("[[],[]]", Ok(0));
        check("7", Ok(1));
        check("[[1,2],[3]]", Err("different lengths"));
        check("[1,[2]]", Err("data[1]: expected a number within FP64, got a list"));
        check("[[1],2]", Err("different lengths or depths"));
        check("[[1],[[2]]]", Err("different lengths or depths"));
        check("[{}]", Err("data[0]: expected a number within FP64, got an object"));
    }
}
