//! Discovery by files that others write (`file_sd_configs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use streamflow_prometheus_yml::{LabelMap, TargetGroup, parse_targets};

use super::{Counters, labels_of};
use crate::matching::matching;

/// The files as they were last read. One that cannot be read or parsed keeps its last good targets, one that is gone
/// takes them along.
#[derive(Debug, Default)]
pub(super) struct Files {
    known: BTreeMap<PathBuf, Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The bytes, or why there are none; `None` before the first reading.
    content: Option<Result<Vec<u8>, String>>,
    groups: Vec<TargetGroup>,
}

impl Files {
    /// The labels of every target in the files that a pattern names.
    pub fn targets(&mut self, pattern: &str, counters: &Counters) -> Vec<LabelMap> {
        let mut targets = Vec::new();
        let found = matching(Path::new(pattern)).unwrap_or_default();
        self.known.retain(|path, _| found.contains(path) || path.is_file());
        for path in found {
            for group in self.read(&path, counters) {
                targets.extend(labels_of(group).map(|mut labels| {
                    labels.insert("__meta_filepath".to_owned(), path.to_string_lossy().into_owned());
                    labels
                }));
            }
        }
        targets
    }

    fn read(&mut self, path: &Path, counters: &Counters) -> &[TargetGroup] {
        let content = std::fs::read(path).map_err(|error| error.to_string());
        let known = self.known.entry(path.to_owned()).or_default();
        // Read and told once for each content.
        if known.content.as_ref() != Some(&content) {
            match content.as_ref().map_err(Clone::clone).and_then(|content| parse_targets(path, content)) {
                Ok(groups) => known.groups = groups,
                Err(error) => {
                    counters.file_error();
                    tracing::warn!("targets of {} stay as they were: {error}", path.display());
                }
            }
            known.content = Some(content);
        }
        &known.groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_and_broken_ones_keep_their_targets() {
        let dir = tempfile::TempDir::new().unwrap();
        let (counters, mut files) = (Counters::default(), Files::default());
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let mut found = |expected: &[&str], errors: u64| {
            let patterns =
                ["t*.yml", "u.json"].map(|name| dir.path().join(name).to_string_lossy().into_owned());
            let targets: Vec<LabelMap> =
                patterns.iter().flat_map(|pattern| files.targets(pattern, &counters)).collect();
            let addresses: Vec<&str> = targets.iter().map(|labels| labels["__address__"].as_str()).collect();
            assert_eq!((&addresses[..], counters.rows()[0].2), (expected, errors));
            targets
        };
        found(&[], 0);
        write("t1.yml", "- targets: [a]\n  labels: {x: y}\n");
        write("t2.yml", "- targets: [b]\n");
        write("u.json", r#"[{"targets": ["c"], "labels": {}}]"#);
        let labels = &found(&["a", "b", "c"], 0)[0];
        assert_eq!((labels["x"].as_str(), labels["__meta_filepath"].ends_with("t1.yml")), ("y", true));
        // Half written.
        write("t1.yml", "- targets: [a\n");
        write("u.json", "[{");
        found(&["a", "b", "c"], 2);
        found(&["a", "b", "c"], 2);
        std::fs::remove_file(dir.path().join("t2.yml")).unwrap();
        std::fs::remove_file(dir.path().join("u.json")).unwrap();
        write("t1.yml", "- targets: [http://a/b]\n");
        found(&["http://a/b"], 2);
        write("t1.yml", "");
        found(&[], 2);
        write("u.json", "[{");
        found(&[], 3);
    }
}
