//! Finds and reads the rule files that a configuration names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use streamflow_gotext::Glob;
use streamflow_prometheus_yml::{RuleError, RuleFile, RuleProblem, parse_rules};

/// Reads all files that the patterns match, each once, by path; `dir` is where relative patterns begin. In the last
/// part of a pattern `*`, `?` and `[…]` stand for what they do in a shell. A pattern that matches nothing is fine.
///
/// # Errors
/// All problems of all files.
pub fn load(patterns: &[String], dir: &Path) -> Result<Vec<RuleFile>, RuleError> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        match matching(&dir.join(pattern)) {
            Ok(found) => paths.extend(found),
            Err(message) => problems.push(unread(Path::new(pattern), message)),
        }
    }
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

/// The files that a pattern matches.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let dir = pattern.parent().unwrap_or(Path::new("."));
    if dir.to_string_lossy().contains(['*', '?', '[']) {
        return Err("only the last part of a path may hold *, ? and [".to_owned());
    }
    if !Glob::is_pattern(&name) {
        return Ok(if pattern.exists() { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let glob = Glob::new(&name).map_err(|_| format!("{name:?} is no pattern of file names"))?;
    // A directory that is not there holds no file.
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(Vec::new()) };
    let files =
        entries.filter_map(Result::ok).filter(|entry| glob.is_match(&entry.file_name().to_string_lossy()));
    Ok(files.map(|entry| entry.path()).filter(|path| path.is_file()).collect())
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
        assert!(names(&["*/a.yml"]).unwrap_err().contains("last part"));
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
