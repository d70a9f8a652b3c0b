//! `model.bin`: the trees and the threshold in little-endian binary.
//!
//! Version 1 holds a classifier of two classes:
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
//! Version 2 holds the other tasks:
//!
//! ```text
//! magic          8 bytes  "SFMODEL\n"
//! format_version u32      2
//! task           u8       1 of several classes, each against all others, 2 of numbers
//! n_boosters     u32      then for each, of a classifier one a class in the order of schema.json:
//!   n_features u32, base_score f64, then trees and nodes as above
//! ```
//! Version 3 holds a classifier of several classes by softmax: as version 2, and its task is 3.
//!
//! A split's right child is the node after its left child; both lie behind the split.

use std::path::Path;

use crate::Error;
use crate::boosters::{Boosters, Link};
use crate::ensemble::{Ensemble, Node};

const MAGIC: &[u8; 8] = b"SFMODEL\n";
/// The version of classifiers of two classes, that of numbers and of classes against all others, and that of softmax, which
/// is the newest that is read.
const BINARY_VERSION: u32 = 1;
const OTHER_VERSION: u32 = 2;
const FORMAT_VERSION: u32 = 3;
/// Written for the task and the link.
const ONE_VERSUS_REST: u8 = 1;
const REGRESSION: u8 = 2;
const SOFTMAX: u8 = 3;
/// The fewest bytes of a booster: features, base score, no trees and no nodes.
const BOOSTER_BYTES: usize = 20;

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

pub(crate) fn encode(boosters: &Boosters, threshold: f64) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let ensembles = boosters.ensembles();
    let (version, task) = match boosters.link() {
        Link::LogOdds => {
            out.extend(BINARY_VERSION.to_le_bytes());
            out.extend(ensembles[0].n_features.to_le_bytes());
            out.extend(ensembles[0].base_score.to_le_bytes());
            out.extend(threshold.to_le_bytes());
            encode_trees(&ensembles[0], &mut out);
            return out;
        }
        Link::OneVersusRest => (OTHER_VERSION, ONE_VERSUS_REST),
        Link::Identity => (OTHER_VERSION, REGRESSION),
        Link::Softmax => (FORMAT_VERSION, SOFTMAX),
    };
    out.extend(version.to_le_bytes());
    out.push(task);
    out.extend((ensembles.len() as u32).to_le_bytes());
    for ensemble in ensembles {
        out.extend(ensemble.n_features.to_le_bytes());
        out.extend(ensemble.base_score.to_le_bytes());
        encode_trees(ensemble, &mut out);
    }
    out
}

fn encode_trees(ensemble: &Ensemble, out: &mut Vec<u8>) {
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
}

/// Reads what [`encode`] wrote. Any other bytes are an error; memory stays proportional to them. The threshold of a model
/// that has none is a half.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Boosters, f64), DecodeError> {
    let mut input = Input { bytes, length: bytes.len() };
    if input.take::<8>()? != *MAGIC {
        return Err(DecodeError::Damaged("it does not start as a model file does".to_string()));
    }
    let decoded = match input.u32()? {
        BINARY_VERSION => input.binary()?,
        version @ (OTHER_VERSION | FORMAT_VERSION) => (input.boosters(version)?, 0.5),
        other => return Err(DecodeError::Version(other)),
    };
    if !input.bytes.is_empty() {
        return Err(DecodeError::Damaged(format!("{} bytes follow its end", input.bytes.len())));
    }
    Ok(decoded)
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

    fn binary(&mut self) -> Result<(Boosters, f64), DecodeError> {
        let (n_features, base_score, threshold) = (self.u32()?, self.f64()?, self.f64()?);
        if !(0.0..=1.0).contains(&threshold) {
            return Err(DecodeError::Damaged(format!("the threshold is {threshold}, not a probability")));
        }
        let ensemble = self.trees(n_features, base_score)?;
        Ok((Boosters::new(Link::LogOdds, vec![ensemble]).map_err(DecodeError::Damaged)?, threshold))
    }

    fn boosters(&mut self, version: u32) -> Result<Boosters, DecodeError> {
        let link = match self.take::<1>()? {
            [ONE_VERSUS_REST] => Link::OneVersusRest,
            [REGRESSION] => Link::Identity,
            [SOFTMAX] if version == FORMAT_VERSION => Link::Softmax,
            [other] => return Err(DecodeError::Damaged(format!("its task has the number {other}"))),
        };
        let count = self.count(BOOSTER_BYTES)?;
        let mut booster = || {
            let (n_features, base_score) = (self.u32()?, self.f64()?);
            self.trees(n_features, base_score)
        };
        let ensembles = (0..count).map(|_| booster()).collect::<Result<Vec<_>, _>>()?;
        Boosters::new(link, ensembles).map_err(DecodeError::Damaged)
    }

    fn trees(&mut self, n_features: u32, base_score: f64) -> Result<Ensemble, DecodeError> {
        let n_trees = self.count(4)?;
        let roots = (0..n_trees).map(|_| self.u32()).collect::<Result<_, _>>()?;
        let n_nodes = self.count(9)?;
        let nodes = (0..n_nodes).map(|_| self.node()).collect::<Result<_, _>>()?;
        Ok(Ensemble { base_score, n_features, roots, nodes })
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

    fn of(link: Link, ensembles: Vec<Ensemble>) -> Boosters {
        Boosters::new(link, ensembles).unwrap()
    }

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
        let constant = Ensemble { base_score: 0.5, n_features: 0, roots: vec![], nodes: vec![] };
        for (boosters, threshold, version) in [
            (of(Link::LogOdds, vec![two_trees()]), 0.3, 1),
            (of(Link::LogOdds, vec![constant.clone()]), 1.0, 1),
            (of(Link::Identity, vec![two_trees()]), 0.5, 2),
            (of(Link::OneVersusRest, vec![two_trees(), constant.clone(), two_trees()]), 0.5, 2),
            (of(Link::Softmax, vec![two_trees(), constant, two_trees()]), 0.5, 3),
        ] {
            let bytes = encode(&boosters, threshold);
            assert_eq!(bytes[8..12], u32::to_le_bytes(version));
            assert_eq!(decode(&bytes), Ok((boosters, threshold)));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let good = encode(&of(Link::LogOdds, vec![two_trees()]), 0.3);
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
        assert_eq!(with(8, &4_u32.to_le_bytes()), Err(DecodeError::Version(4)));
        let mut regression = encode(&of(Link::Identity, vec![two_trees()]), 0.5);
        regression[12] = 7;
        assert_eq!(decode(&regression), damaged("its task has the number 7"));
        regression[12] = 1;
        assert_eq!(decode(&regression), damaged("1 boosters are none of a classifier of several classes"));
        assert_eq!(with(24, &f64::NAN.to_le_bytes()), damaged("the threshold is NaN, not a probability"));
        assert_eq!(with(32, &[255; 4]), damaged(&format!("it ends after {} bytes", good.len())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
            start in 0..3,
        ) {
            match start {
                1 => drop(bytes.splice(..0, encode(&of(Link::LogOdds, vec![two_trees()]), 0.3)[..40].to_vec())),
                2 => drop(bytes.splice(..0, encode(&of(Link::Identity, vec![two_trees()]), 0.5)[..33].to_vec())),
                _ => {}
            }
            let _ = decode(&bytes);
        }

        /// Whatever passes the checks can be walked without a panic or an endless loop.
        #[test]
        fn flipped_and_truncated_files_never_panic(
            at in 0_usize..400,
            bit in 0_u8..8,
            keep in 0_usize..460,
            several: bool,
        ) {
            let boosters = match several {
                true => of(Link::Softmax, vec![two_trees(), two_trees()]),
                false => of(Link::LogOdds, vec![two_trees()]),
            };
            let mut bytes = encode(&boosters, 0.3);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes.truncate(keep.max(1));
            if let Ok((boosters, _)) = decode(&bytes) {
                for ensemble in boosters.ensembles() {
                    prop_assert!(!ensemble.score(&[0.1, f64::NAN, 0.9]).is_nan());
                }
            }
        }
    }
}
