//! The messages of an ONNX file, of which only what is evaluated is kept.

use std::sync::Arc;

use super::tensor::{Data, Tensor};
use super::wire::{Budget, Fields, Wire, double, malformed};
use crate::{Error, Format};

/// `ModelProto`.
pub(crate) struct ModelProto<'a> {
    pub graph: GraphProto<'a>,
    /// Domain and version; the domain of the standard operators is empty.
    pub opsets: Vec<(&'a str, i64)>,
}

/// `GraphProto`.
#[derive(Default)]
pub(crate) struct GraphProto<'a> {
    pub nodes: Vec<NodeProto<'a>>,
    pub initializers: Vec<(&'a str, Tensor)>,
    pub inputs: Vec<ValueInfo<'a>>,
    pub outputs: Vec<ValueInfo<'a>>,
}

/// `NodeProto`.
#[derive(Default)]
pub(crate) struct NodeProto<'a> {
    pub name: &'a str,
    pub operator: &'a str,
    pub domain: &'a str,
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    pub attributes: Vec<(&'a str, Attribute<'a>)>,
}

/// `AttributeProto`: a list has one of its kinds filled.
#[derive(Default)]
pub(crate) struct Attribute<'a> {
    pub float: Option<f32>,
    pub integer: Option<i64>,
    pub text: Option<&'a [u8]>,
    pub tensor: Option<Tensor>,
    pub is_graph: bool,
    pub floats: Vec<f32>,
    pub integers: Vec<i64>,
    pub texts: Vec<&'a [u8]>,
}

/// `ValueInfoProto`: the name and type of an input or output.
#[derive(Default)]
pub(crate) struct ValueInfo<'a> {
    pub name: &'a str,
    /// Number of the elements' type; none for sequences and maps.
    pub element: Option<i64>,
    /// Sizes, none where they may vary; none without a shape.
    pub shape: Option<Vec<Option<i64>>>,
}

pub(crate) fn model(bytes: &[u8]) -> Result<ModelProto<'_>, Error> {
    let mut budget = Budget::new();
    let (mut graph, mut opsets, mut has_functions) = (None, Vec::new(), false);
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            7 => graph = Some(self::graph(value.bytes()?, &mut budget)?),
            8 => {
                budget.keep(4)?;
                opsets.push(opset(value.bytes()?)?);
            }
            25 => has_functions = true,
            _ => {}
        }
    }
    if has_functions {
        let remedy = "inline them when the model is saved";
        return Err(Error::unsupported(Format::Onnx, "functions of its own", remedy));
    }
    let graph = graph.ok_or_else(|| malformed("it has no graph"))?;
    Ok(ModelProto { graph, opsets })
}

fn opset(bytes: &[u8]) -> Result<(&str, i64), Error> {
    let (mut domain, mut version) = ("", 0);
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => domain = value.text()?,
            2 => version = value.integer()?,
            _ => {}
        }
    }
    Ok((domain, version))
}

fn graph<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<GraphProto<'a>, Error> {
    let mut graph = GraphProto::default();
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => {
                // A node takes as much memory as so many numbers.
                budget.keep(24)?;
                graph.nodes.push(node(value.bytes()?, budget)?);
            }
            5 => graph.initializers.push(tensor(value.bytes()?, budget)?),
            11 => graph.inputs.push(value_info(value.bytes()?, budget)?),
            12 => graph.outputs.push(value_info(value.bytes()?, budget)?),
            15 => {
                let remedy = "store initializers densely";
                return Err(Error::unsupported(Format::Onnx, "sparse initializers", remedy));
            }
            _ => {}
        }
    }
    Ok(graph)
}

fn node<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<NodeProto<'a>, Error> {
    let mut node = NodeProto::default();
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 | 2 => {
                budget.keep(2)?;
                let names = if number == 1 { &mut node.inputs } else { &mut node.outputs };
                names.push(value.text()?);
            }
            3 => node.name = value.text()?,
            4 => node.operator = value.text()?,
            5 => {
                budget.keep(32)?;
                node.attributes.push(attribute(value.bytes()?, budget)?);
            }
            7 => node.domain = value.text()?,
            _ => {}
        }
    }
    Ok(node)
}

fn attribute<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<(&'a str, Attribute<'a>), Error> {
    let (mut name, mut attribute) = ("", Attribute::default());
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => name = value.text()?,
            2 => attribute.float = Some(value.float()?),
            3 => attribute.integer = Some(value.integer()?),
            4 => attribute.text = Some(value.bytes()?),
            5 => attribute.tensor = Some(tensor(value.bytes()?, budget)?.1),
            6 | 11 => attribute.is_graph = true,
            7 => value.floats(&mut attribute.floats, budget)?,
            8 => value.integers(&mut attribute.integers, budget)?,
            9 => {
                budget.keep(2)?;
                attribute.texts.push(value.bytes()?);
            }
            _ => {}
        }
    }
    Ok((name, attribute))
}

/// The elements of a tensor as the file has them.
#[derive(Default)]
struct RawTensor<'a> {
    name: &'a str,
    kind: i64,
    shape: Vec<i64>,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    integers: Vec<i64>,
    texts: Vec<Arc<str>>,
    raw: Option<&'a [u8]>,
}

fn tensor<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<(&'a str, Tensor), Error> {
    budget.keep(16)?;
    let mut tensor = RawTensor::default();
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => value.integers(&mut tensor.shape, budget)?,
            2 => tensor.kind = value.integer()?,
            4 => value.floats(&mut tensor.floats, budget)?,
            5 | 7 => value.integers(&mut tensor.integers, budget)?,
            6 => {
                budget.keep(4)?;
                tensor.texts.push(value.text()?.into());
            }
            8 => tensor.name = value.text()?,
            9 => tensor.raw = Some(value.bytes()?),
            10 => value.doubles(&mut tensor.doubles, budget)?,
            13 => {
                let remedy = "save it as one file";
                return Err(Error::unsupported(Format::Onnx, "weights in another file", remedy));
            }
            _ => {}
        }
    }
    if let Some(raw) = tensor.raw {
        budget.keep(raw.len())?;
    }
    let name = tensor.name;
    let named = |reason: String| malformed(format!("tensor {name:?}: {reason}"));
    let shape = tensor.shape.iter().map(|&size| usize::try_from(size)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| named(format!("it has the shape {:?}", tensor.shape)))?;
    if !matches!(tensor.kind, 1 | 2 | 6..=9 | 11) {
        let what = format!("a tensor of element type {}", tensor.kind);
        let remedy = "expected float, double, int32, int64, uint8, bool or string";
        return Err(Error::unsupported(Format::Onnx, what, remedy));
    }
    let data = tensor.data().map_err(named)?;
    Ok((name, Tensor::new(shape, data).map_err(named)?))
}

impl RawTensor<'_> {
    fn data(self) -> Result<Data, String> {
        let raw = self.raw;
        let chunks = |width: usize| match raw {
            Some(raw) if raw.len() % width != 0 => Err("its bytes are cut".to_owned()),
            Some(raw) => Ok(Some(raw.chunks_exact(width))),
            None => Ok(None),
        };
        Ok(match self.kind {
            1 => Data::Single(match chunks(4)? {
                Some(chunks) => chunks.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
                None => self.floats,
            }),
            11 => Data::Double(match chunks(8)? {
                Some(chunks) => chunks.map(double).collect(),
                None => self.doubles,
            }),
            6 => Data::Integer(match chunks(4)? {
                Some(chunks) => {
                    chunks.map(|b| i64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect()
                }
                None => self.integers,
            }),
            7 => Data::Integer(match chunks(8)? {
                Some(chunks) => {
                    chunks.map(|b| i64::from_le_bytes(b.try_into().expect("chunks of eight"))).collect()
                }
                None => self.integers,
            }),
            2 => Data::Integer(match raw {
                Some(raw) => raw.iter().map(|&byte| i64::from(byte)).collect(),
                None => self.integers,
            }),
            9 => Data::Boolean(match raw {
                Some(raw) => raw.iter().map(|&byte| byte != 0).collect(),
                None => self.integers.iter().map(|&value| value != 0).collect(),
            }),
            8 => Data::Text(self.texts),
            other => return Err(format!("it has elements of type {other}")),
        })
    }
}

fn value_info<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<ValueInfo<'a>, Error> {
    budget.keep(16)?;
    let mut info = ValueInfo::default();
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => info.name = value.text()?,
            2 => {
                let mut types = Fields::of(value.bytes()?);
                while let Some((number, value)) = types.next()? {
                    if number == 1 {
                        tensor_type(value, &mut info, budget)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(info)
}

fn tensor_type(value: Wire, info: &mut ValueInfo, budget: &mut Budget) -> Result<(), Error> {
    let mut fields = Fields::of(value.bytes()?);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => info.element = Some(value.integer()?),
            2 => {
                let mut shape = Vec::new();
                let mut sizes = Fields::of(value.bytes()?);
                while let Some((_, size)) = sizes.next()? {
                    budget.keep(2)?;
                    let mut parts = Fields::of(size.bytes()?);
                    let mut known = None;
                    while let Some((number, value)) = parts.next()? {
                        if number == 1 {
                            known = Some(value.integer()?);
                        }
                    }
                    shape.push(known);
                }
                info.shape = Some(shape);
            }
            _ => {}
        }
    }
    Ok(())
}
