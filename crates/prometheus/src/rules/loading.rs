//! Finds and reads the rule files that a configuration names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use streamflow_prometheus_yml::{RuleError, RuleFile, RuleProblem, parse_rules};

use crate::matching::matching;

/// Reads all files that the patterns match, each once, by path; `dir` is where relative patterns begin. A pattern that
/// matches nothing is fine.
///
/// # Errors
/// All problems of all files.
pub fn load(patterns: &[String], dir: &Path) -> Result<Vec<RuleFile>, RuleError> {
    let mut problems = Vec::new();
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        match matching(&dir.join(pattern)) {
            Ok(found) => paths.extend(found),
            Err(message) => problems.push(unread(Path::new(pattern), message)),
        }
    }
    match read(paths) {
        Ok(files) if problems.is_empty() => Ok(files),
        Ok(_) => Err(RuleError(problems)),
        Err(RuleError(more)) => Err(RuleError(problems.into_iter().chain(more).collect())),
    }
}

/// Reads these files in their order.
///
/// # Errors
/// All problems of all files.
pub fn read(paths: impl IntoIterator<Item = PathBuf>) -> Result<Vec<RuleFile>, RuleError> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                problems.push(unread(&path, format!("cannot be read: {error}")));
                continue;
            }
        };
        match parse_rules(&text, &path) {
            Ok(file) => files.push(file),
            Err(error) => problems.extend(error.0),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(RuleError(problems)) }
}

fn unread(path: &Path, message: String) -> RuleProblem {
    let remedy = "correct rule_files, or the file's permissions";
    RuleProblem { file: path.to_owned(), line: 0, group: None, rule: None, message, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("more.yml")).unwrap();
        for name in ["a.yml", "b.yml", "b.yaml", "c1.rules", "cx.rules"] {
            std::fs::write(dir.path().join(name), "groups: []\n").unwrap();
        }
        let names = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            let files = load(&patterns, dir.path()).map_err(|error| error.to_string())?;
            Ok::<_, String>(
                files
                    .iter()
                    .map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned())
                    .collect::<Vec<_>>(),
            )
        };
        for (patterns, expected) in [
            (&["*.yml"][..], &["a.yml", "b.yml"][..]),
            (&["b.yml", "*.yml", "none.yml"], &["a.yml", "b.yml"]),
            (&["?.y*ml"], &["a.yml", "b.yaml", "b.yml"]),
            (&["c[0-9].rules"], &["c1.rules"]),
            (&["none/*.yml"], &[]),
        ] {
            assert_eq!(names(patterns).unwrap(), expected, "{patterns:?}");
        }
        assert!(names(&["[z-a].yml"]).unwrap_err().contains("no pattern"));
        std::fs::write(dir.path().join("bad.yml"), "groups: [{}]\n").unwrap();
        std::fs::write(dir.path().join("bytes.yml"), [0xff]).unwrap();
        let error = names(&["*.yml"]).unwrap_err();
        assert!(
            error.contains("bad.yml:1: a group has no name") || error.contains("bad.yml:1: group \"\""),
            "{error}"
        );
        assert!(error.contains("bytes.yml:0: cannot be read"), "{error}");
    }
}
