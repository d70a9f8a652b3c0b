//! The files that a pattern names.

use std::path::{Component, Path, PathBuf};

use streamflow_gotext::Glob;

/// The files that match, sorted; none where nothing does. In every part of the path `*`, `?` and `[…]` stand for what
/// Go's `filepath.Glob` has them stand for.
///
/// # Errors
/// A part that is no pattern.
pub fn matching(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str().to_string_lossy();
        if !matches!(component, Component::Normal(_)) || !Glob::is_pattern(&name) {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        }
        let glob = Glob::new(&name).map_err(|_| format!("{name:?} is no pattern of file names"))?;
        found = found.iter().flat_map(|directory| entries(directory, &glob)).collect();
    }
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}

/// What of a directory matches; one that is not there holds nothing.
fn entries(directory: &Path, glob: &Glob) -> Vec<PathBuf> {
    let readable = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let entries = std::fs::read_dir(readable).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names.filter(|name| glob.is_match(&name.to_string_lossy())).map(|name| directory.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_patterns() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/x.yml", "a/y.yaml", "b1/x.yml", "b2/x.yml", "x.yml/z"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let found = matching(&dir.path().join(pattern))?;
            let relative =
                found.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string());
            Ok::<_, String>(relative.collect::<Vec<_>>().join(" "))
        };
        for (pattern, expected) in [
            ("a/x.yml", "a/x.yml"),
            ("a/none.yml", ""),
            ("a/*.y*ml", "a/x.yml a/y.yaml"),
            ("b?/x.yml", "b1/x.yml b2/x.yml"),
            ("b[2-9]/*", "b2/x.yml"),
            ("none/*", ""),
            ("*.yml", ""),
        ] {
            assert_eq!(found(pattern).unwrap(), expected, "{pattern}");
        }
        assert!(found("a/[").unwrap_err().contains("no pattern"));
    }
}
