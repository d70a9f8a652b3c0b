//! What each feature adds to an answer, and `cover.bin`: the training rows that came to each node, without which that is
//! not defined.
//!
//! ```text
//! magic          8 bytes  "SFCOVER\n"
//! format_version u32      1
//! n_boosters     u32      as in model.bin, then for each:
//!   n_nodes      u32      then as many u32: the training rows that came to the node
//! ```
//! Contributions are those of path-dependent TreeSHAP (`streamflow_inference`), on the scale of the margin.

use std::sync::{Arc, OnceLock};

use streamflow_inference::{ExplainedSum, Explanations, TreeSum};

use crate::boosters::{Boosters, Link};
use crate::ensemble::{Ensemble, Node};
use crate::model::Predictor;
use crate::{Error, FeatureValue, Features, Model};

const MAGIC: &[u8; 8] = b"SFCOVER\n";
const FORMAT_VERSION: u32 = 1;

/// Rows that the mean of contributions is taken over, at most.
const ROWS_OF_A_MEAN: usize = 500;

/// What each feature adds to one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What `contributions` and `base` are in: `log_odds`, `log`, `value` or `margin`.
    pub scale: &'static str,
    /// One of a classifier of two classes and of a regression; one for each class, in their order, of several.
    pub outputs: Vec<Contributions>,
}

/// What each feature adds to one margin.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// The mean margin of the training rows.
    pub base: f64,
    /// Of each feature in the order of the schema; with the base they sum to the margin.
    pub of_features: Vec<f64>,
}

/// The training rows that came to each node of each booster.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Cover(Vec<Vec<u32>>);

/// What explanations need beside the trees; nothing of a version that was stored without it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Explaining {
    cover: Option<Arc<Cover>>,
    /// Made when a row is explained for the first time.
    made: Arc<OnceLock<Result<Vec<ExplainedSum>, String>>>,
}

impl PartialEq for Explaining {
    fn eq(&self, other: &Explaining) -> bool {
        self.cover == other.cover
    }
}

impl Explaining {
    pub fn new(cover: Option<Cover>) -> Explaining {
        Explaining { cover: cover.map(Arc::new), made: Arc::default() }
    }

    pub fn cover(&self) -> Option<&Cover> {
        self.cover.as_deref()
    }

    fn trees(&self, boosters: &Boosters) -> Result<&[ExplainedSum], Error> {
        let made = self.made.get_or_init(|| {
            let cover = self.cover.as_ref().ok_or(
                "it was trained before the training rows of its trees' nodes were kept; train it again",
            )?;
            let trees = boosters.ensembles().iter().zip(&cover.0);
            trees.map(|(ensemble, rows)| explained(ensemble, rows)).collect()
        });
        made.as_deref().map_err(|reason| Error::Unexplained(reason.clone()))
    }
}

/// An ensemble with the training rows of its nodes.
fn explained(ensemble: &Ensemble, rows: &[u32]) -> Result<ExplainedSum, String> {
    let (mut trees, mut covers) = (Vec::new(), Vec::new());
    for &root in &ensemble.roots {
        let (nodes, places) = ensemble.tree(root);
        covers.push(places.iter().map(|&at| f64::from(rows[at])).collect());
        trees.push(nodes);
    }
    TreeSum::new(ensemble.base_score, ensemble.n_features as usize, &trees)?.explained(&covers)
}

impl Cover {
    /// Counts the training rows, whose encoded values are in one vector per feature, at the nodes that they come to.
    pub fn of(boosters: &Boosters, columns: &[Vec<f64>]) -> Cover {
        let count = |ensemble: &Ensemble| {
            let mut rows = vec![0; ensemble.nodes.len()];
            let length = columns.first().map_or(0, Vec::len);
            let mut row = Vec::with_capacity(columns.len());
            for place in 0..length {
                row.clear();
                row.extend(columns.iter().map(|column| column[place]));
                for &root in &ensemble.roots {
                    let mut at = root as usize;
                    rows[at] += 1;
                    while let Node::Split { feature, threshold, left, missing_left } = ensemble.nodes[at] {
                        let value = row[feature as usize];
                        let go_left = value < threshold || (missing_left && value.is_nan());
                        at = left as usize + usize::from(!go_left);
                        rows[at] += 1;
                    }
                }
            }
            rows
        };
        Cover(boosters.ensembles().iter().map(count).collect())
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(FORMAT_VERSION.to_le_bytes());
        out.extend((self.0.len() as u32).to_le_bytes());
        for rows in &self.0 {
            out.extend((rows.len() as u32).to_le_bytes());
            rows.iter().for_each(|rows| out.extend(rows.to_le_bytes()));
        }
        out
    }

    /// Reads what [`Cover::encode`] wrote, for these trees.
    ///
    /// # Errors
    /// A sentence about what is wrong, for any other bytes.
    pub fn decode(bytes: &[u8], boosters: &Boosters) -> Result<Cover, String> {
        let words = bytes.strip_prefix(MAGIC).ok_or("it does not start as a file of covers does")?;
        if words.len() % 4 != 0 {
            return Err(format!("it has {} bytes, which is not a number of words", bytes.len()));
        }
        let mut words =
            words.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let mut next = || words.next().ok_or_else(|| format!("it ends after {} bytes", bytes.len()));
        let version = next()?;
        if version != FORMAT_VERSION {
            return Err(format!("its format has the version {version}; expected {FORMAT_VERSION}"));
        }
        let (given, expected) = (next()? as usize, boosters.ensembles().len());
        if given != expected {
            return Err(format!("it has {given} boosters, and the model has {expected}"));
        }
        let mut cover = Cover::default();
        for ensemble in boosters.ensembles() {
            let (given, expected) = (next()? as usize, ensemble.nodes.len());
            if given != expected {
                return Err(format!("it has {given} nodes, and the model has {expected}"));
            }
            cover.0.push((0..expected).map(|_| next()).collect::<Result<_, _>>()?);
        }
        match next() {
            Ok(_) => Err("more bytes follow its end".to_owned()),
            Err(_) => Ok(cover),
        }
    }
}

impl Model {
    /// What each feature adds to the answer to values in the schema's order.
    ///
    /// # Errors
    /// [`Error::Unexplained`] for a version that was stored without what this needs; of an imported model
    /// [`Error::Inference`] with the reason. Else as [`Model::answer`].
    pub fn explain(&self, values: &[FeatureValue]) -> Result<Explanation, Error> {
        let found = match &self.predictor {
            Predictor::Trained(boosters) => {
                let row = self.schema.encode(values)?.values;
                self.explaining.trees(boosters)?.iter().map(|trees| trees.explain(&row)).collect()
            }
            Predictor::Imported(imported) => {
                let expected = self.schema.features.len();
                if values.len() != expected {
                    return Err(Error::FeatureCount { expected, given: values.len() });
                }
                vec![imported.explain(values)?]
            }
        };
        Ok(Explanation { scale: self.contribution_scale(), outputs: outputs(&found) })
    }

    /// Whether answers can be explained; it is looked at once.
    ///
    /// # Errors
    /// As [`Model::explain`].
    pub fn check_explained(&self) -> Result<(), Error> {
        match &self.predictor {
            Predictor::Trained(boosters) => self.explaining.trees(boosters).map(|_| ()),
            Predictor::Imported(imported) => Ok(imported.model.check_explained()?),
        }
    }

    /// What contributions are in: see [`Explanation::scale`].
    pub fn contribution_scale(&self) -> &'static str {
        match &self.predictor {
            Predictor::Trained(boosters) => match boosters.link() {
                Link::Identity => "value",
                Link::LogOdds | Link::OneVersusRest => "log_odds",
                Link::Softmax => "margin",
            },
            Predictor::Imported(imported) => imported.model.margin_scale(),
        }
    }

    /// The mean size of what each feature adds over at most 500 rows, evenly taken from `rows`, in the order of the schema;
    /// of several classes the mean over the classes too. Empty without rows.
    ///
    /// # Errors
    /// As [`Model::explain`], and as [`Model::predict`].
    pub fn mean_contributions(&self, features: &Features, rows: &[usize]) -> Result<Vec<f64>, Error> {
        let step = rows.len().div_ceil(ROWS_OF_A_MEAN).max(1);
        let rows: Vec<usize> = rows.iter().copied().step_by(step).collect();
        let found = match &self.predictor {
            Predictor::Trained(boosters) => {
                let (columns, _) = self.schema.encode_columns(features, &rows)?;
                let values: Vec<f64> =
                    (0..rows.len()).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
                self.explaining.trees(boosters)?.iter().map(|trees| trees.explain(&values)).collect()
            }
            Predictor::Imported(imported) => vec![imported.explain_rows(&self.schema, features, &rows)?],
        };
        let mut means = vec![0.0; self.schema.features.len()];
        let mut counted = 0;
        for of_output in
            found.iter().flat_map(|found| found.contributions.chunks_exact(found.features.max(1)))
        {
            means.iter_mut().zip(of_output).for_each(|(mean, value)| *mean += value.abs());
            counted += 1;
        }
        if counted == 0 {
            return Ok(Vec::new());
        }
        means.iter_mut().for_each(|mean| *mean /= f64::from(counted));
        Ok(means)
    }
}

/// The outputs of one explained row: of an ensemble each, or of one model with several.
fn outputs(found: &[Explanations]) -> Vec<Contributions> {
    let of_one = |found: &Explanations| {
        let parts = found.contributions.chunks_exact(found.features.max(1)).map(<[f64]>::to_vec);
        let pairs = found.base.clone().into_iter().zip(parts);
        pairs.map(|(base, of_features)| Contributions { base, of_features }).collect::<Vec<_>>()
    };
    found.iter().flat_map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boosters() -> Boosters {
        let split = Node::Split { feature: 0, threshold: 2.0, left: 1, missing_left: true };
        let ensemble = Ensemble {
            base_score: 0.5,
            n_features: 1,
            roots: vec![0],
            nodes: vec![split, Node::Leaf(1.0), Node::Leaf(-1.0)],
        };
        Boosters::new(Link::Identity, vec![ensemble]).unwrap()
    }

    #[test]
    fn rows_are_counted_where_they_come_to() {
        let cover = Cover::of(&boosters(), &[vec![1.0, f64::NAN, 2.0, 3.0, 1.5]]);
        assert_eq!(cover, Cover(vec![vec![5, 3, 2]]));
        assert_eq!(Cover::decode(&cover.encode(), &boosters()), Ok(cover.clone()));
        let explaining = Explaining::new(Some(cover));
        let found = explaining.trees(&boosters()).unwrap()[0].explain(&[9.0]);
        // The mean of three rows of 1 and two of -1 is 0.2.
        assert_eq!((found.base, found.contributions), (vec![0.7], vec![-1.2]));
        let error = Explaining::default().trees(&boosters()).unwrap_err().to_string();
        assert!(error.contains("train it again"), "{error}");
    }

    #[test]
    fn other_bytes_are_refused() {
        let good = Cover(vec![vec![5, 3, 2]]).encode();
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Cover::decode(&bytes, &boosters()).unwrap_err()
        };
        assert_eq!(with(0, b'X'), "it does not start as a file of covers does");
        assert_eq!(with(8, 9), "its format has the version 9; expected 1");
        assert_eq!(with(12, 2), "it has 2 boosters, and the model has 1");
        assert_eq!(with(16, 4), "it has 4 nodes, and the model has 3");
        let cut = Cover::decode(&good[..good.len() - 4], &boosters()).unwrap_err();
        assert_eq!(cut, "it ends after 28 bytes");
        let long = Cover::decode(&[good.as_slice(), &[0; 4]].concat(), &boosters()).unwrap_err();
        assert_eq!(long, "more bytes follow its end");
        let odd = Cover::decode(&good[..good.len() - 1], &boosters()).unwrap_err();
        assert_eq!(odd, "it has 31 bytes, which is not a number of words");
    }
}
