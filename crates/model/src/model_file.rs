//! `model.bin`: the trees and the threshold in little-endian binary.
//!
//! ```text
//! magic          8 bytes  "SFMODEL\n"
//! format_version u32      1
//! n_features     u32
//! base_score     f64      log-odds
//! threshold      f64
//! n_trees        u32      then as many u32: the index of each tree's first node
//! n_nodes        u32      then as many nodes:
//!   leaf         u8 = 0, value f64
//!   split        u8 = 1 (missing goes right) or 2 (left), feature u32, threshold f64, left u32
//! ```
//! A split's right child is the node after its left child; both lie behind the split.

use std::path::Path;

use crate::Error;
use crate::ensemble::{Ensemble, Node};

const MAGIC: &[u8; 8] = b"SFMODEL\n";
/// The version that is written and read.
const FORMAT_VERSION: u32 = 1;

/// Why bytes are not a model file.
#[derive(Debug, PartialEq)]
pub(crate) enum DecodeError {
    Damaged(String),
    Version(u32),
}

impl DecodeError {
    /// As an error of the crate, naming the file.
    pub fn at(self, path: &Path) -> Error {
        match self {
            DecodeError::Damaged(reason) => Error::damaged(path, reason),
            DecodeError::Version(found) => {
                Error::UnsupportedVersion { path: path.to_path_buf(), found, supported: FORMAT_VERSION }
            }
        }
    }
}

pub(crate) fn encode(ensemble: &Ensemble, threshold: f64) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(FORMAT_VERSION.to_le_bytes());
    out.extend(ensemble.n_features.to_le_bytes());
    out.extend(ensemble.base_score.to_le_bytes());
    out.extend(threshold.to_le_bytes());
    out.extend((ensemble.roots.len() as u32).to_le_bytes());
    ensemble.roots.iter().for_each(|root| out.extend(root.to_le_bytes()));
    out.extend((ensemble.nodes.len() as u32).to_le_bytes());
    for node in &ensemble.nodes {
        match *node {
            Node::Leaf(value) => {
                out.push(0);
                out.extend(value.to_le_bytes());
            }
            Node::Split { feature, threshold, left, missing_left } => {
                out.push(1 + u8::from(missing_left));
                out.extend(feature.to_le_bytes());
                out.extend(threshold.to_le_bytes());
                out.extend(left.to_le_bytes());
            }
        }
    }
    out
}

/// Reads what [`encode`] wrote. Any other bytes are an error; memory stays proportional to them.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Ensemble, f64), DecodeError> {
    let mut input = Input { bytes, length: bytes.len() };
    if input.take::<8>()? != *MAGIC {
        return Err(DecodeError::Damaged("it does not start as a model file does".to_string()));
    }
    match input.u32()? {
        FORMAT_VERSION => {}
        other => return Err(DecodeError::Version(other)),
    }
    let (n_features, base_score, threshold) = (input.u32()?, input.f64()?, input.f64()?);
    if !(0.0..=1.0).contains(&threshold) {
        return Err(DecodeError::Damaged(format!("the threshold is {threshold}, not a probability")));
    }
    let n_trees = input.count(4)?;
    let roots = (0..n_trees).map(|_| input.u32()).collect::<Result<_, _>>()?;
    let n_nodes = input.count(9)?;
    let nodes = (0..n_nodes).map(|_| input.node()).collect::<Result<_, _>>()?;
    if !input.bytes.is_empty() {
        return Err(DecodeError::Damaged(format!("{} bytes follow its end", input.bytes.len())));
    }
    let ensemble = Ensemble { base_score, n_features, roots, nodes };
    ensemble.check().map_err(DecodeError::Damaged)?;
    Ok((ensemble, threshold))
}

/// The bytes not yet read.
struct Input<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_first_chunk::<N>() else {
            return Err(DecodeError::Damaged(format!("it ends after {} bytes", self.length)));
        };
        self.bytes = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.take().map(u32::from_le_bytes)
    }

    fn f64(&mut self) -> Result<f64, DecodeError> {
        self.take().map(f64::from_le_bytes)
    }

    /// A count of things of at least `size` bytes, refused when the rest is too short for them.
    fn count(&mut self, size: usize) -> Result<u32, DecodeError> {
        let count = self.u32()?;
        if count as usize > self.bytes.len() / size {
            return Err(DecodeError::Damaged(format!("it ends after {} bytes", self.length)));
        }
        Ok(count)
    }

    fn node(&mut self) -> Result<Node, DecodeError> {
        match self.take::<1>()? {
            [0] => Ok(Node::Leaf(self.f64()?)),
            [tag @ (1 | 2)] => {
                let (feature, threshold, left) = (self.u32()?, self.f64()?, self.u32()?);
                Ok(Node::Split { feature, threshold, left, missing_left: tag == 2 })
            }
            [tag] => Err(DecodeError::Damaged(format!("a node has the tag {tag}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn two_trees() -> Ensemble {
        let split = |feature, left| Node::Split { feature, threshold: 0.5, left, missing_left: feature == 1 };
        Ensemble {
            base_score: -1.0,
            n_features: 3,
            roots: vec![0, 5],
            nodes: vec![
                split(0, 1),
                split(1, 3),
                Node::Leaf(0.1),
                Node::Leaf(0.2),
                Node::Leaf(0.3),
                split(2, 6),
                Node::Leaf(-0.1),
                Node::Leaf(-0.2),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let ensemble = two_trees();
        assert_eq!(decode(&encode(&ensemble, 0.3)), Ok((ensemble, 0.3)));
        let constant = Ensemble { base_score: 0.5, n_features: 0, roots: vec![], nodes: vec![] };
        assert_eq!(decode(&encode(&constant, 1.0)), Ok((constant, 1.0)));
    }

    #[test]
    fn says_what_is_wrong() {
        let good = encode(&two_trees(), 0.3);
        let damaged = |reason: &str| Err(DecodeError::Damaged(reason.to_string()));
        assert_eq!(decode(&[]), damaged("it ends after 0 bytes"));
        assert_eq!(
            decode(&good[..good.len() - 1]),
            damaged(&format!("it ends after {} bytes", good.len() - 1))
        );
        assert_eq!(decode(b"PK\x03\x04....more"), damaged("it does not start as a model file does"));
        assert_eq!(decode(&[good.as_slice(), b"!!"].concat()), damaged("2 bytes follow its end"));
        let with = |at: usize, value: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + value.len()].copy_from_slice(value);
            decode(&bytes)
        };
        assert_eq!(with(8, &2_u32.to_le_bytes()), Err(DecodeError::Version(2)));
        assert_eq!(with(24, &f64::NAN.to_le_bytes()), damaged("the threshold is NaN, not a probability"));
        assert_eq!(with(32, &[255; 4]), damaged(&format!("it ends after {} bytes", good.len())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300), start: bool) {
            if start {
                bytes.splice(..0, encode(&two_trees(), 0.3)[..40].to_vec());
            }
            let _ = decode(&bytes);
        }

        /// Whatever passes the checks can be walked without a panic or an endless loop.
        #[test]
        fn flipped_and_truncated_files_never_panic(at in 0_usize..200, bit in 0_u8..8, keep in 0_usize..260) {
            let mut bytes = encode(&two_trees(), 0.3);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes.truncate(keep.max(1));
            if let Ok((ensemble, _)) = decode(&bytes) {
                prop_assert!(!ensemble.score(&[0.1, f64::NAN, 0.9]).is_nan());
            }
        }
    }
}
