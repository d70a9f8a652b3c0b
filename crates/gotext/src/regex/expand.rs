//! Templates with groups of a match, as Go's `Regexp.Expand` has them.

use std::sync::LazyLock;

/// A match with its groups.
pub struct Captures<'a> {
    pub(super) names: &'a [String],
    pub(super) groups: regex::Captures<'a>,
}

impl Captures<'_> {
    /// The template with `$1`, `$name` and `${name}` replaced by the groups; `$$` is a dollar, a group that is not
    /// there is empty. A name is the longest run of letters, digits and `_`, so that `$1x` is the group `1x`.
    #[must_use]
    pub fn expand(&self, template: &str) -> String {
        expand(self.names, &self.groups, template)
    }
}

pub(super) fn expand(names: &[String], groups: &regex::Captures<'_>, template: &str) -> String {
    let (mut expanded, mut rest) = (String::with_capacity(template.len()), template);
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after_dollar) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after_dollar;
        } else if let Some((name, after_name)) = reference(after) {
            expanded.push_str(group(names, groups, name));
            rest = after_name;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    expanded
}

/// The name of a reference and what follows it; `None` says that the dollar stands for itself.
fn reference(text: &str) -> Option<(&str, &str)> {
    static NAME: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"\A[\p{L}\p{Nd}_]+").ok());
    let (braced, text) = text.strip_prefix('{').map_or((false, text), |inner| (true, inner));
    let (name, after) = text.split_at(NAME.as_ref()?.find(text)?.end());
    if braced { Some((name, after.strip_prefix('}')?)) } else { Some((name, after)) }
}

fn group<'a>(names: &[String], groups: &'a regex::Captures<'_>, name: &str) -> &'a str {
    let text = |index: usize| groups.get(index).map(|found| found.as_str());
    // A number with a leading zero is a name.
    let is_number =
        name.bytes().all(|byte| byte.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
    if is_number {
        return name.parse().ok().and_then(text).unwrap_or_default();
    }
    let named = names.iter().enumerate().filter(|(_, of_group)| *of_group == name);
    named.filter_map(|(at, _)| text(at + 1)).next().unwrap_or_default()
}
