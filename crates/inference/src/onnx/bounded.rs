//! Operators that no graph may have, whoever computes it: those that may run without end, and those of other domains,
//! of which nobody here knows what they do.
//!
//! The whole file is looked at, as another reader of it would see it: a message that is given twice counts twice.

use super::wire::{Fields, malformed};
use crate::{Error, Format};

/// Operators that repeat a graph of their own as often as the graph says.
const LOOPS: [&str; 2] = ["Loop", "SequenceMap"];

/// Repeats a graph of its own once for each entry of a tensor, as pairwise distances are written.
const SCAN: &str = "Scan";

/// Domains of the standard's operators.
const DOMAINS: [&str; 3] = ["", "ai.onnx", "ai.onnx.ml"];

/// Deepest nesting of graphs.
const MAX_DEPTH: usize = 16;

/// Refuses a file with such an operator, in graphs within graphs too.
pub(crate) fn check(file: &[u8]) -> Result<(), Error> {
    let mut fields = Fields::of(file);
    while let Some((number, value)) = fields.next()? {
        if number == 7 {
            graph(value.bytes()?, Place { depth: 0, repeats: false })?;
        }
    }
    Ok(())
}

/// Where a graph stands.
#[derive(Clone, Copy)]
struct Place {
    /// How many graphs it is within.
    depth: usize,
    /// Whether one of them is repeated.
    repeats: bool,
}

fn graph(message: &[u8], place: Place) -> Result<(), Error> {
    if place.depth > MAX_DEPTH {
        return Err(malformed(format!("its graphs are nested deeper than {MAX_DEPTH}")));
    }
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            node(value.bytes()?, place)?;
        }
    }
    Ok(())
}

fn node(message: &[u8], place: Place) -> Result<(), Error> {
    let (mut operator, mut domain, mut attributes) = ("", "", Vec::new());
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            4 => operator = value.text()?,
            5 => attributes.push(value.bytes()?),
            7 => domain = value.text()?,
            _ => {}
        }
    }
    allowed(operator, domain, place)?;
    let inner = Place { depth: place.depth + 1, repeats: place.repeats || operator == SCAN };
    attributes.into_iter().try_for_each(|message| attribute(message, inner))
}

fn allowed(operator: &str, domain: &str, place: Place) -> Result<(), Error> {
    let refused = |what, remedy| Err(Error::unsupported(Format::Onnx, what, remedy));
    if !DOMAINS.contains(&domain) {
        let what = format!("the operator {operator} of {domain}");
        return refused(
            what,
            "only the operators of ai.onnx and ai.onnx.ml are computed; export the model without it",
        );
    }
    if LOOPS.contains(&operator) {
        let what = format!("the operator {operator}");
        return refused(
            what,
            "it may run without end, so nothing computes it; export the model without loops",
        );
    }
    if operator == SCAN && place.repeats {
        return refused(
            "a Scan within a Scan".to_owned(),
            "their repetitions multiply, so nothing computes it; export the model with one of them",
        );
    }
    Ok(())
}

fn attribute(message: &[u8], inner: Place) -> Result<(), Error> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if matches!(number, 6 | 11) {
            graph(value.bytes()?, inner)?;
        }
    }
    Ok(())
}
