//! XGBoost's models as JSON and UBJSON, from 1.7 on: one tree of keys in two spellings.
//!
//! Inputs are rounded to 32 bits, compared with `<`, and leaves are added up in 32 bits in the order of the file, from
//! the base margin on. In a categorical split the codes of the set go right.

mod objectives;
mod ubj;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::additive::Sum;
use crate::forest::{CodeSet, Forest, Source, Test};
use crate::format::plain_json;
use crate::input::{Level, Levels};
use crate::link::{Role, Width};
use crate::model::Engine;
use crate::{Error, Format, Input, Kind, Labels, Model, ReadOptions};

/// Codes of categories from here on go left without being looked up.
const MAX_CODE: u32 = 1 << 24;

/// Most features of a model that has no names for them, and most outputs.
const MAX_UNNAMED: usize = 1 << 20;

#[derive(Deserialize)]
struct File {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    feature_names: Vec<String>,
    #[serde(default)]
    feature_types: Vec<String>,
    gradient_booster: Booster,
    learner_model_param: Param,
    objective: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Param {
    base_score: String,
    /// "1" where the base score was not chosen by who trained it.
    #[serde(default)]
    boost_from_average: String,
    #[serde(default)]
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: String,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    model: Option<Trees>,
    gbtree: Option<Inner>,
    #[serde(default)]
    weight_drop: Vec<f32>,
}

#[derive(Deserialize)]
struct Inner {
    model: Trees,
}

/// All is optional: `gblinear` has other keys, and is refused by its name.
#[derive(Deserialize)]
struct Trees {
    #[serde(default)]
    trees: Vec<Tree>,
    #[serde(default)]
    tree_info: Vec<u32>,
    #[serde(default)]
    iteration_indptr: Vec<u64>,
    #[serde(default)]
    gbtree_model_param: BTreeMap<String, String>,
    cats: Option<Categories>,
}

#[derive(Deserialize)]
struct Categories {
    #[serde(default)]
    enc: Vec<Names>,
}

/// Names of a feature's levels: the bytes of all, one after another, or integers.
#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    offsets: Vec<u64>,
    #[serde(default)]
    values: Vec<i64>,
    #[serde(rename = "type")]
    integers: Option<i64>,
}

#[derive(Deserialize)]
struct Tree {
    left_children: Vec<i32>,
    right_children: Vec<i32>,
    split_indices: Vec<u32>,
    split_conditions: Vec<Real>,
    default_left: Vec<Flag>,
    #[serde(default)]
    sum_hessian: Vec<Real>,
    #[serde(default)]
    split_type: Vec<u8>,
    #[serde(default)]
    categories: Vec<i64>,
    #[serde(default)]
    categories_nodes: Vec<u32>,
    #[serde(default)]
    categories_segments: Vec<u64>,
    #[serde(default)]
    categories_sizes: Vec<u64>,
    #[serde(default)]
    tree_param: BTreeMap<String, String>,
}

/// Written as 0 and 1, or as false and true.
#[derive(Clone, Copy)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Flag, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("0, 1, false or true")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Flag, E> {
                Ok(Flag(value != 0))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Flag, E> {
                Ok(Flag(value != 0))
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// A 32-bit number; NaN stands where a split has no threshold.
#[derive(Clone, Copy)]
struct Real(f32);

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Real, D::Error> {
        struct RealVisitor;
        impl Visitor<'_> for RealVisitor {
            type Value = Real;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f32<E: de::Error>(self, value: f32) -> Result<Real, E> {
                Ok(Real(value))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Real, E> {
                Ok(Real(value as f32))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Real, E> {
                Ok(Real(value as f32))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Real, E> {
                Ok(Real(value as f32))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Real, E> {
                Ok(Real(f32::NAN))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Real, E> {
                text.parse().map(Real).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(RealVisitor)
    }
}

pub(crate) fn read(bytes: &[u8], format: Format, options: ReadOptions) -> Result<Model, Error> {
    let file: Result<File, String> = match format {
        Format::XgboostUbj => ubj::from_slice(bytes).map_err(|fault| fault.to_string()),
        _ => serde_json::from_slice(&plain_json(bytes)).map_err(|error| error.to_string()),
    };
    let learner = file.map_err(|reason| Error::malformed(format, reason))?.learner;
    Reader { format, options }.model(learner)
}

struct Reader {
    format: Format,
    options: ReadOptions,
}

impl Reader {
    fn malformed(&self, reason: impl ToString) -> Error {
        Error::malformed(self.format, reason)
    }

    fn unsupported(&self, what: impl Into<String>, remedy: &str) -> Error {
        Error::unsupported(self.format, what, remedy)
    }

    fn model(&self, learner: Learner) -> Result<Model, Error> {
        let Learner {
            attributes,
            feature_names,
            feature_types,
            gradient_booster,
            learner_model_param,
            objective,
        } = learner;
        let param = learner_model_param;
        let row = objectives::OBJECTIVES.iter().find(|row| row.name == objective.name).ok_or_else(|| {
            self.unsupported(
                format!("the objective {:?}", objective.name),
                "expected one of XGBoost's own; a custom objective is not in the file, so its link is not known",
            )
        })?;
        let (mut trees, weight_drop) = self.trees(gradient_booster)?;
        let is_estimated = param.boost_from_average != "0";
        if trees.trees.is_empty() && is_estimated && row.base_score != objectives::BaseScore::Margin {
            return Err(self.unsupported(
                "no trees and no base_score of its own".to_owned(),
                "XGBoost's releases answer it differently (from 3.1 on they take the base score for a margin); train at \
                 least one tree, or set base_score",
            ));
        }
        let base = self.base_score(&param.base_score)?;
        let outputs = [&param.num_class, &param.num_target]
            .into_iter()
            .map(|text| if text.is_empty() { Ok(1) } else { self.count(text) })
            .try_fold(base.len(), |most, count| count.map(|count| most.max(count)))?;
        if base.len() != 1 && base.len() != outputs {
            return Err(self.malformed(format!("it has {} base scores for {outputs} outputs", base.len())));
        }
        self.stop_early(&mut trees, &attributes, outputs)?;
        let inputs = self.inputs(&param, &feature_names, &feature_types, trees.cats.take())?;
        let base = (0..outputs)
            .map(|output| f64::from(row.margin(base[output.min(base.len() - 1)])))
            .collect::<Vec<_>>();
        let sum = self.sum(&trees, &weight_drop, base, inputs.len())?;
        let objective = row.objective(outputs);
        let classes = match objective.role {
            Role::Binary => Some(Labels::count(2)),
            Role::Multiclass => Some(Labels::count(outputs)),
            Role::Value => None,
        };
        Ok(Model {
            format: self.format,
            objective: row.name.to_owned(),
            has_names: !feature_names.is_empty(),
            inputs,
            classes,
            engine: Engine::Sum(sum, objective),
            explainer: OnceLock::new(),
        })
    }

    fn trees(&self, booster: Booster) -> Result<(Trees, Vec<f32>), Error> {
        let missing = || self.malformed("its booster has no \"model\"");
        match booster.name.as_str() {
            "gbtree" => Ok((booster.model.ok_or_else(missing)?, Vec::new())),
            "dart" => {
                let trees = booster.gbtree.ok_or_else(missing)?.model;
                if booster.weight_drop.len() != trees.trees.len() {
                    let (weights, trees) = (booster.weight_drop.len(), trees.trees.len());
                    return Err(self.malformed(format!("it has {weights} weights for {trees} trees")));
                }
                Ok((trees, booster.weight_drop))
            }
            name => Err(self.unsupported(format!("the booster {name:?}"), "expected gbtree or dart")),
        }
    }

    fn count(&self, text: &str) -> Result<usize, Error> {
        let count = text.parse().ok().filter(|&count| count <= MAX_UNNAMED);
        count.ok_or_else(|| self.malformed(format!("{text:?} is no number of outputs or features")))
    }

    /// One number, or a list of them with one for each output.
    fn base_score(&self, text: &str) -> Result<Vec<f32>, Error> {
        let list = text.trim_start_matches('[').trim_end_matches(']').split(',');
        let numbers: Result<Vec<f32>, _> = list.map(|number| number.trim().parse()).collect();
        numbers.map_err(|_| self.malformed(format!("its base_score is {text:?}")))
    }

    /// Leaves out the trees after the best iteration.
    fn stop_early(
        &self,
        trees: &mut Trees,
        attributes: &BTreeMap<String, String>,
        outputs: usize,
    ) -> Result<(), Error> {
        let Some(best) = attributes.get("best_iteration").filter(|_| !self.options.all_trees) else {
            return Ok(());
        };
        let best = self.count(best)?;
        let kept = if trees.iteration_indptr.is_empty() {
            let parallel = trees.gbtree_model_param.get("num_parallel_tree");
            let parallel = parallel.map_or(Ok(1), |text| self.count(text))?.max(1);
            (best + 1).saturating_mul(parallel).saturating_mul(outputs)
        } else {
            trees.iteration_indptr.get(best + 1).map_or(usize::MAX, |&kept| kept as usize)
        };
        trees.trees.truncate(kept);
        Ok(())
    }

    fn inputs(
        &self,
        param: &Param,
        names: &[String],
        types: &[String],
        cats: Option<Categories>,
    ) -> Result<Vec<Input>, Error> {
        let count = self.count(&param.num_feature)?;
        for (what, given) in [("names", names.len()), ("types", types.len())] {
            if given != 0 && given != count {
                return Err(self.malformed(format!("it has {given} {what} for {count} features")));
            }
        }
        let mut levels = cats.map_or_else(Vec::new, |cats| cats.enc).into_iter();
        (0..count)
            .map(|index| {
                let name = names.get(index).cloned().unwrap_or_else(|| format!("f{index}"));
                let levels = levels.next().filter(|levels| !levels.values.is_empty());
                let kind = match levels {
                    Some(levels) => Kind::Levels(self.levels(levels)?),
                    None if types.get(index).is_some_and(|kind| kind == "c") => Kind::Code,
                    None => Kind::Number,
                };
                Ok(Input::new(name, kind))
            })
            .collect()
    }

    fn levels(&self, names: Names) -> Result<Levels, Error> {
        let levels = if names.integers.is_some() {
            names.values.into_iter().map(Level::Integer).collect()
        } else {
            let bytes: Vec<u8> = names.values.iter().map(|&byte| byte as u8).collect();
            let level = |ends: &[u64]| {
                let text = bytes.get(ends[0] as usize..ends[1] as usize)?;
                Some(Level::Text(std::str::from_utf8(text).ok()?.to_owned()))
            };
            names
                .offsets
                .windows(2)
                .map(|ends| {
                    level(ends).ok_or_else(|| self.malformed("the names of its levels are not UTF-8"))
                })
                .collect::<Result<_, _>>()?
        };
        Levels::new(levels).map_err(|reason| self.malformed(reason))
    }

    fn sum(&self, trees: &Trees, weight_drop: &[f32], base: Vec<f64>, features: usize) -> Result<Sum, Error> {
        let mut sum = Sum {
            forest: Forest::default(),
            values: Vec::new(),
            outputs: Vec::new(),
            base,
            width: Width::Single,
            covers: Some(Vec::new()),
        };
        for (number, tree) in trees.trees.iter().enumerate() {
            let output = trees.tree_info.get(number).copied().unwrap_or(0);
            if output as usize >= sum.base.len() {
                let outputs = sum.base.len();
                return Err(self.malformed(format!("tree {number} adds to output {output} of {outputs}")));
            }
            let weight = weight_drop.get(number).copied().unwrap_or(1.0);
            let named = |reason| self.malformed(format!("tree {number}: {reason}"));
            let leaves = sum.forest.push(&self.nodes(tree, number)?, 0, features).map_err(named)?;
            sum.values.resize(sum.forest.nodes(), 0.0);
            sum.covers = sum.covers.filter(|_| tree.sum_hessian.len() == tree.left_children.len());
            for (node, place) in leaves {
                sum.values[place as usize] = f64::from(tree.split_conditions[node].0 * weight);
                if let Some(covers) = &mut sum.covers {
                    covers.resize(sum.forest.nodes(), 0.0);
                    covers[place as usize] = f64::from(tree.sum_hessian[node].0);
                }
            }
            sum.outputs.push(output);
        }
        Ok(sum)
    }

    fn nodes(&self, tree: &Tree, number: usize) -> Result<Vec<Source>, Error> {
        let vector = tree.tree_param.get("size_leaf_vector").map_or("1", String::as_str);
        if !matches!(vector, "0" | "1") {
            let what = format!("vector leaves (size_leaf_vector {vector})");
            return Err(self.unsupported(what, "train with multi_strategy=\"one_output_per_tree\""));
        }
        let count = tree.left_children.len();
        let lengths = [
            ("right_children", tree.right_children.len()),
            ("split_indices", tree.split_indices.len()),
            ("split_conditions", tree.split_conditions.len()),
            ("default_left", tree.default_left.len()),
        ];
        if let Some((what, given)) = lengths.into_iter().find(|(_, given)| *given != count) {
            return Err(self.malformed(format!("tree {number} has {count} nodes and {given} {what}")));
        }
        let sets = self.sets(tree).map_err(|reason| self.malformed(format!("tree {number}: {reason}")))?;
        (0..count)
            .map(|node| {
                let (left, right) = (tree.left_children[node], tree.right_children[node]);
                if left == -1 {
                    return Ok(Source::Leaf);
                }
                let test = match tree.split_type.get(node).copied().unwrap_or(0) {
                    0 => Test::Below(f64::from(tree.split_conditions[node].0)),
                    1 => Test::NoneOf(sets.get(&(node as u32)).cloned().unwrap_or_default()),
                    other => {
                        return Err(self.unsupported(format!("the split type {other}"), "expected 0 or 1"));
                    }
                };
                Ok(Source::Split {
                    feature: tree.split_indices[node],
                    test,
                    missing_left: tree.default_left[node].0,
                    left: usize::try_from(left).unwrap_or(usize::MAX),
                    right: usize::try_from(right).unwrap_or(usize::MAX),
                })
            })
            .collect()
    }

    /// The codes of each categorical node. Their bits take no more memory than twice the codes of the file.
    fn sets(&self, tree: &Tree) -> Result<BTreeMap<u32, CodeSet>, String> {
        let mut sets = BTreeMap::new();
        let mut words = 0;
        for (index, &node) in tree.categories_nodes.iter().enumerate() {
            let range = tree.categories_segments.get(index).zip(tree.categories_sizes.get(index));
            let codes = range
                .and_then(|(&start, &size)| {
                    tree.categories.get(start as usize..start.checked_add(size)? as usize)
                })
                .ok_or_else(|| format!("the categories of node {node} are not in the file"))?;
            let mut set = CodeSet::default();
            for &code in codes {
                let code = u32::try_from(code).ok().filter(|&code| code < MAX_CODE);
                set.insert(code.ok_or_else(|| format!("a category of node {node} is out of range"))?);
            }
            words += set.0.len();
            if words > MAX_SET_WORDS {
                return Err("its categorical splits have too many codes".to_owned());
            }
            sets.insert(node, set);
        }
        Ok(sets)
    }
}

/// Most 32-bit words of the categorical splits of one tree.
const MAX_SET_WORDS: usize = 1 << 22;
