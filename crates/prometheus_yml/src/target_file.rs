//! Files of targets, which `file_sd_configs` name: lists of target groups in JSON or YAML.

use std::path::Path;

use crate::TargetGroup;

/// Reads the content of the file at `path`, whose extension says what it is: JSON, or else YAML.
///
/// # Errors
/// What is wrong with the content.
pub fn parse_targets(path: &Path, content: &[u8]) -> Result<Vec<TargetGroup>, String> {
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let groups: Vec<TargetGroup> = if json {
        serde_json::from_slice(content).map_err(|error| error.to_string())?
    } else {
        let text = str::from_utf8(content).map_err(|error| error.to_string())?;
        let groups: Result<Option<_>, _> = serde_saphyr::from_str(text);
        groups.map_err(|error| error.without_snippet().to_string())?.unwrap_or_default()
    };
    groups.iter().try_for_each(TargetGroup::check)?;
    Ok(groups)
}
