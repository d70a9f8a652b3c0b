//! Files of targets, which `file_sd_configs` name: lists of target groups in JSON or YAML.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::yaml::{self, first_document};
use crate::{TargetGroup, nulls};

/// Reads the content of the file at `path`, whose extension says what it is: JSON, or else YAML.
///
/// # Errors
/// What is wrong with the content.
pub fn parse_targets(path: &Path, content: &[u8]) -> Result<Vec<TargetGroup>, String> {
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let groups = if json {
        groups_of_json(content)?
    } else {
        let text = first_document(str::from_utf8(content).map_err(|error| error.to_string())?);
        groups_of_yaml(text).map_err(|error| error.without_snippet().to_string())?
    };
    groups.iter().try_for_each(TargetGroup::check_labels)?;
    Ok(groups)
}

/// Null is no group, and no label; the keys may be in any case, as Go reads them.
fn groups_of_json(content: &[u8]) -> Result<Vec<TargetGroup>, String> {
    let groups: Option<Vec<JsonGroup>> =
        serde_json::from_slice(content).map_err(|error| error.to_string())?;
    let group = |JsonGroup { targets, labels }: JsonGroup| TargetGroup {
        targets: targets.unwrap_or_default(),
        labels: labels
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    };
    Ok(groups.unwrap_or_default().into_iter().map(group).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonGroup {
    #[serde(alias = "Targets")]
    targets: Option<Vec<String>>,
    #[serde(alias = "Labels")]
    labels: Option<BTreeMap<String, Option<String>>>,
}

fn groups_of_yaml(text: &str) -> Result<Vec<TargetGroup>, serde_saphyr::Error> {
    let tree = yaml::tree(text)?;
    match tree {
        None => Ok(Vec::new()),
        Some(tree) if tree.is_null() => Ok(Vec::new()),
        Some(tree) => nulls::read(text, &tree),
    }
}
