//! Operators that no graph may have, whoever computes it: those that may run without end, and those of other domains,
//! of which nobody here knows what they do.
//!
//! The whole file is looked at, as another reader of it would see it: a message that is given twice counts twice.

use super::wire::{Fields, malformed};
use crate::{Error, Format};

/// Operators that repeat a graph of their own.
const LOOPS: [&str; 3] = ["Loop", "Scan", "SequenceMap"];

/// Domains of the standard's operators.
const DOMAINS: [&str; 3] = ["", "ai.onnx", "ai.onnx.ml"];

/// Deepest nesting of graphs.
const MAX_DEPTH: usize = 16;

/// Refuses a file with such an operator, in graphs within graphs too.
pub(crate) fn check(file: &[u8]) -> Result<(), Error> {
    let mut fields = Fields::of(file);
    while let Some((number, value)) = fields.next()? {
        if number == 7 {
            graph(value.bytes()?, 0)?;
        }
    }
    Ok(())
}

fn graph(message: &[u8], depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(malformed(format!("its graphs are nested deeper than {MAX_DEPTH}")));
    }
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            node(value.bytes()?, depth)?;
        }
    }
    Ok(())
}

fn node(message: &[u8], depth: usize) -> Result<(), Error> {
    let (mut operator, mut domain) = ("", "");
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            4 => operator = value.text()?,
            5 => attribute(value.bytes()?, depth)?,
            7 => domain = value.text()?,
            _ => {}
        }
    }
    if !DOMAINS.contains(&domain) {
        let what = format!("the operator {operator} of {domain}");
        let remedy = "only the operators of ai.onnx and ai.onnx.ml are computed; export the model without it";
        return Err(Error::unsupported(Format::Onnx, what, remedy));
    }
    if LOOPS.contains(&operator) {
        let remedy = "it may run without end, so nothing computes it; export the model without loops";
        return Err(Error::unsupported(Format::Onnx, format!("the operator {operator}"), remedy));
    }
    Ok(())
}

fn attribute(message: &[u8], depth: usize) -> Result<(), Error> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if matches!(number, 6 | 11) {
            graph(value.bytes()?, depth + 1)?;
        }
    }
    Ok(())
}
