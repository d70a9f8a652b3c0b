//! LightGBM's text format, versions 3 and 4.
//!
//! Everything is in 64 bits: `x <= threshold` goes left, leaves are added up in the order of the file. What a missing
//! value is differs by node: nothing (it is 0.0), zero, or NaN. In a categorical split the codes of the set go left.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::additive::Sum;
use crate::forest::{CodeSet, Forest, Source, Test};
use crate::input::{Level, Levels};
use crate::link::{Link, Objective, Role, Width};
use crate::model::Engine;
use crate::{Error, Format, Input, Kind, Labels, Model};

const FORMAT: Format = Format::LightgbmText;

/// Most outputs of a model.
const MAX_OUTPUTS: usize = 1 << 16;

/// Bits of a node's `decision_type`.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
const MISSING_TYPE_SHIFT: u8 = 2;

fn malformed(reason: impl ToString) -> Error {
    Error::malformed(FORMAT, reason)
}

pub(crate) fn read(bytes: &[u8]) -> Result<Model, Error> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| malformed(format!("it is not UTF-8 from byte {} on", error.valid_up_to())))?;
    let file = File::parse(text)?;
    let header = &file.header;
    let version = header.get("version")?;
    if !matches!(version, "v3" | "v4") {
        return Err(Error::unsupported(FORMAT, format!("version {version:?}"), "expected v3 or v4"));
    }
    let outputs: usize = header.number("num_tree_per_iteration")?;
    if outputs == 0 || outputs > MAX_OUTPUTS {
        return Err(malformed(format!("num_tree_per_iteration is {outputs}")));
    }
    let inputs = inputs(header, file.pandas_categorical)?;
    let sum = sum(&file.trees, outputs, inputs.len())?;
    let mut objective = objective(header.find("objective"))?;
    if header.find("average_output").is_some() {
        objective.divisor = (file.trees.len() / outputs).max(1) as f64;
    }
    let classes = match objective.role {
        Role::Value => None,
        Role::Binary => Some(Labels::count(2)),
        Role::Multiclass => Some(Labels::count(outputs)),
    };
    Ok(Model {
        format: FORMAT,
        objective: header.find("objective").unwrap_or("none").to_owned(),
        inputs,
        has_names: true,
        classes,
        engine: Engine::Sum(sum, objective),
        explainer: OnceLock::new(),
    })
}

/// The lines of a file, each `key=value` in the block that it belongs to.
struct File<'a> {
    header: Block<'a>,
    trees: Vec<Block<'a>>,
    pandas_categorical: Option<&'a str>,
}

impl<'a> File<'a> {
    fn parse(text: &'a str) -> Result<File<'a>, Error> {
        let mut header = Block { name: "the header".to_owned(), lines: HashMap::new() };
        let mut trees: Vec<Block> = Vec::new();
        let mut lines = text.lines();
        let mut is_whole = false;
        for line in lines.by_ref() {
            if line == "end of trees" {
                is_whole = true;
                break;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            if key == "Tree" {
                trees.push(Block { name: format!("tree {value}"), lines: HashMap::new() });
            } else if !key.is_empty() {
                trees.last_mut().unwrap_or(&mut header).lines.insert(key, value);
            }
        }
        if !is_whole {
            return Err(malformed("it ends before \"end of trees\""));
        }
        let pandas_categorical = lines.rev().find_map(|line| line.strip_prefix("pandas_categorical:"));
        Ok(File { header, trees, pandas_categorical })
    }
}

struct Block<'a> {
    name: String,
    lines: HashMap<&'a str, &'a str>,
}

impl<'a> Block<'a> {
    fn find(&self, key: &str) -> Option<&'a str> {
        self.lines.get(key).copied()
    }

    fn get(&self, key: &str) -> Result<&'a str, Error> {
        self.find(key).ok_or_else(|| malformed(format!("{} has no {key}", self.name)))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, Error> {
        let text = self.get(key)?;
        text.parse().map_err(|_| malformed(format!("{} has {key}={text}", self.name)))
    }

    /// The numbers of a line; none where it is missing.
    fn numbers<T: std::str::FromStr>(&self, key: &str) -> Result<Vec<T>, Error> {
        let number =
            |text: &str| text.parse().map_err(|_| malformed(format!("{} has {text:?} in {key}", self.name)));
        self.find(key).unwrap_or("").split_ascii_whitespace().map(number).collect()
    }

    /// As many numbers as are expected.
    fn exactly<T: std::str::FromStr>(&self, key: &str, expected: usize) -> Result<Vec<T>, Error> {
        let numbers = self.numbers(key)?;
        if numbers.len() == expected {
            Ok(numbers)
        } else {
            let (name, given) = (&self.name, numbers.len());
            Err(malformed(format!("{name} has {given} numbers in {key}, but {expected} were expected")))
        }
    }
}

/// Categorical features are those whose infos are lists; their levels are in the order of the frame's columns.
fn inputs(header: &Block, pandas: Option<&str>) -> Result<Vec<Input>, Error> {
    let names: Vec<&str> = header.get("feature_names")?.split(' ').collect();
    let infos: Vec<&str> = header.get("feature_infos")?.split(' ').collect();
    if names.len() != infos.len() {
        return Err(malformed(format!("it has {} feature names and {} infos", names.len(), infos.len())));
    }
    let lists: Vec<Vec<serde_json::Value>> = match pandas.map(str::trim) {
        None | Some("null") => Vec::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| malformed(format!("pandas_categorical is not a list of lists: {error}")))?,
    };
    let is_categorical = |info: &&str| !info.starts_with('[') && *info != "none";
    // A feature that no tree could use says nothing of its type; it may be one of the frame's categories.
    let may_be = |info: &&str| !info.starts_with('[');
    let (sure, possible) =
        (infos.iter().filter(|i| is_categorical(i)).count(), infos.iter().filter(|i| may_be(i)).count());
    let has_levels = match lists.len() {
        0 => None,
        count if count == sure => Some(false),
        count if count == possible => Some(true),
        count => {
            let what = format!("{count} lists of levels for {sure} categorical features");
            let remedy = "the file does not say which feature has which; train with category codes";
            return Err(Error::unsupported(FORMAT, what, remedy));
        }
    };
    let mut lists = lists.into_iter();
    let inputs = names.iter().zip(&infos).map(|(name, info)| {
        let is_listed = match has_levels {
            None => false,
            Some(and_unused) => is_categorical(info) || (and_unused && may_be(info)),
        };
        let list = if is_listed { lists.next() } else { None };
        let kind = match list {
            Some(list) => Kind::Levels(levels(list)?),
            None if is_categorical(info) => Kind::Code,
            None => Kind::Number,
        };
        Ok(Input::new(*name, kind))
    });
    inputs.collect()
}

fn levels(list: Vec<serde_json::Value>) -> Result<Levels, Error> {
    let level = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => Ok(Level::Text(text)),
        serde_json::Value::Bool(value) => Ok(Level::Boolean(value)),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(Level::Integer(integer)),
            (None, Some(number)) => Ok(Level::Number(number.to_string())),
            _ => Err(malformed("a level is no number")),
        },
        other => Err(malformed(format!("pandas_categorical has the level {other}"))),
    };
    let levels = list.into_iter().map(level).collect::<Result<_, _>>()?;
    Levels::new(levels).map_err(malformed)
}

/// What is done to the margins of an objective; a line such as `binary sigmoid:1`.
fn objective(line: Option<&str>) -> Result<Objective, Error> {
    let mut words = line.unwrap_or("").split_ascii_whitespace();
    let name = words.next().unwrap_or("");
    let parameters: Vec<&str> = words.collect();
    let scale = || {
        let text = parameters.iter().find_map(|word| word.strip_prefix("sigmoid:")).unwrap_or("1");
        text.parse().map_err(|_| malformed(format!("its objective has sigmoid:{text}")))
    };
    let (role, link) = match name {
        "binary" => (Role::Binary, Link::Sigmoid(scale()?)),
        "multiclass" => (Role::Multiclass, Link::Softmax),
        "multiclassova" => (Role::Multiclass, Link::Sigmoid(scale()?)),
        "cross_entropy" => (Role::Value, Link::Sigmoid(1.0)),
        "cross_entropy_lambda" => (Role::Value, Link::LogOnePlusExp),
        "poisson" | "gamma" | "tweedie" => (Role::Value, Link::Exp),
        "regression" if parameters.contains(&"sqrt") => (Role::Value, Link::SignedSquare),
        // Without an objective, as after training with one's own, LightGBM gives margins.
        "" | "custom" | "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape"
        | "lambdarank" | "rank_xendcg" => (Role::Value, Link::Identity),
        other => {
            let remedy = "expected one of LightGBM's own, since its link must be known";
            return Err(Error::unsupported(FORMAT, format!("the objective {other:?}"), remedy));
        }
    };
    Ok(Objective { role, link, divisor: 1.0 })
}

fn sum(trees: &[Block], outputs: usize, features: usize) -> Result<Sum, Error> {
    let mut sum = Sum {
        forest: Forest::default(),
        values: Vec::new(),
        outputs: Vec::new(),
        base: vec![0.0; outputs],
        width: Width::Double,
        covers: Some(Vec::new()),
    };
    for (number, tree) in trees.iter().enumerate() {
        if tree.find("is_linear") == Some("1") {
            let remedy = "train with linear_tree=false";
            return Err(Error::unsupported(FORMAT, "linear trees (is_linear=1)", remedy));
        }
        let leaves: usize = tree.number("num_leaves")?;
        let values: Vec<f64> = tree.exactly("leaf_value", leaves)?;
        if leaves == 0 {
            return Err(malformed(format!("{} has no leaves", tree.name)));
        }
        let places = sum.forest.push(&nodes(tree, leaves)?, 0, features);
        let places = places.map_err(|reason| malformed(format!("{}: {reason}", tree.name)))?;
        sum.values.resize(sum.forest.nodes(), 0.0);
        // A tree of one leaf has none of them to weigh.
        let rows: Vec<f64> = if leaves == 1 { vec![1.0] } else { tree.numbers("leaf_count")? };
        sum.covers = sum.covers.filter(|_| rows.len() == leaves);
        for (node, place) in places {
            sum.values[place as usize] = values[node - (leaves - 1)];
            if let Some(covers) = &mut sum.covers {
                covers.resize(sum.forest.nodes(), 0.0);
                covers[place as usize] = rows[node - (leaves - 1)];
            }
        }
        sum.outputs.push((number % outputs) as u32);
    }
    Ok(sum)
}

/// The splits of a tree, and its leaves behind them.
fn nodes(tree: &Block, leaves: usize) -> Result<Vec<Source>, Error> {
    let splits = leaves - 1;
    let features: Vec<u32> = tree.exactly("split_feature", splits)?;
    let thresholds: Vec<f64> = tree.exactly("threshold", splits)?;
    let decisions: Vec<u8> = tree.exactly("decision_type", splits)?;
    let left: Vec<i64> = tree.exactly("left_child", splits)?;
    let right: Vec<i64> = tree.exactly("right_child", splits)?;
    let sets = Sets { starts: tree.numbers("cat_boundaries")?, words: tree.numbers("cat_threshold")? };
    // A negative child is the leaf of its complement.
    let child = |child: i64| {
        let place = if child < 0 { (!child).saturating_add(splits as i64) } else { child };
        usize::try_from(place).unwrap_or(usize::MAX)
    };
    let mut nodes = Vec::with_capacity(splits + leaves);
    for node in 0..splits {
        let (threshold, decision) = (thresholds[node], decisions[node]);
        let default_left = decision & DEFAULT_LEFT != 0;
        let missing_type = decision >> MISSING_TYPE_SHIFT & 3;
        let (test, missing_left) = if decision & CATEGORICAL != 0 {
            let set = sets.get(threshold);
            let set =
                set.ok_or_else(|| malformed(format!("{} lacks the categories of a split", tree.name)))?;
            (Test::OneOf(set), false)
        } else {
            match missing_type {
                // There is no missing value: NaN is zero.
                0 => (Test::AtMost(threshold), 0.0 <= threshold),
                1 => (Test::AtMostOrZero(threshold), default_left),
                2 => (Test::AtMost(threshold), default_left),
                other => return Err(malformed(format!("{} has the missing type {other}", tree.name))),
            }
        };
        let (left, right) = (child(left[node]), child(right[node]));
        nodes.push(Source::Split { feature: features[node], test, missing_left, left, right });
    }
    nodes.resize(splits + leaves, Source::Leaf);
    Ok(nodes)
}

/// The categories of the splits of a tree: words of bits, and where each set begins.
struct Sets {
    starts: Vec<usize>,
    words: Vec<u32>,
}

impl Sets {
    fn get(&self, threshold: f64) -> Option<CodeSet> {
        let set = threshold as usize;
        let words = self.words.get(*self.starts.get(set)?..*self.starts.get(set + 1)?)?;
        Some(CodeSet(words.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, tree: &str) -> String {
        format!(
            "tree\nversion=v4\nnum_tree_per_iteration=1\nfeature_names=a b\nfeature_infos=[0:1] none\n{header}\n\n\
             Tree=0\nnum_leaves=2\nsplit_feature=0\nthreshold=0.5\ndecision_type=2\nleft_child=-1\nright_child=-2\n\
             leaf_value=1 2\n{tree}\n\nend of trees\n"
        )
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(read(file("", "").as_bytes()).is_ok());
        let cases = [
            ("version=v2", "", "LightGBM text model with version \"v2\": expected v3 or v4"),
            (
                "objective=mine",
                "",
                "LightGBM text model with the objective \"mine\": expected one of LightGBM's own",
            ),
            ("", "is_linear=1", "LightGBM text model with linear trees (is_linear=1)"),
            ("", "split_feature=9", "not a sound LightGBM text model: tree 0: node 0 asks feature 9 of 2"),
            ("", "left_child=0", "not a sound LightGBM text model: tree 0: node 0 is the child of two nodes"),
            ("", "leaf_value=1", "not a sound LightGBM text model: tree 0 has 1 numbers in leaf_value"),
            ("", "threshold=x", "not a sound LightGBM text model: tree 0 has \"x\" in threshold"),
            ("", "threshold=nan", "not a sound LightGBM text model: tree 0: node 0 has the threshold NaN"),
            (
                "",
                "decision_type=1",
                "not a sound LightGBM text model: tree 0 lacks the categories of a split",
            ),
            ("num_tree_per_iteration=0", "", "not a sound LightGBM text model: num_tree_per_iteration is 0"),
        ];
        for (header, tree, expected) in cases {
            let error = read(file(header, tree).as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let cut = file("", "");
        let error = read(&cut.as_bytes()[..cut.len() - 14]).unwrap_err().to_string();
        assert_eq!(error, "not a sound LightGBM text model: it ends before \"end of trees\"");
    }
}
