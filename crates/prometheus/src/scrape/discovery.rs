//! Where targets come from: the configuration itself, and files that others write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use streamflow_gotext::Glob;
use streamflow_prometheus_yml::{LabelMap, ScrapeConfig, TargetGroup, parse_targets};

use super::counters::Counters;

/// The discovery files as they were last read. A file that cannot be read or parsed keeps its last good targets.
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
    /// The labels of every target of a job before its relabeling.
    pub fn targets(&mut self, config: &ScrapeConfig, counters: &Counters) -> Vec<LabelMap> {
        let mut targets = Vec::new();
        for group in &config.static_configs {
            targets.extend(labels_of(group));
        }
        for pattern in config.file_sd_configs.iter().flat_map(|discovery| &discovery.files) {
            for path in matching(Path::new(pattern)) {
                for group in self.read(&path, counters) {
                    targets.extend(labels_of(group).map(|mut labels| {
                        labels.insert("__meta_filepath".to_owned(), path.to_string_lossy().into_owned());
                        labels
                    }));
                }
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
                    counters.file_errors.inc();
                    tracing::warn!("targets of {} stay as they were: {error}", path.display());
                }
            }
            known.content = Some(content);
        }
        &known.groups
    }
}

fn labels_of(group: &TargetGroup) -> impl Iterator<Item = LabelMap> {
    group.targets.iter().map(|target| {
        let mut labels = group.labels.clone();
        labels.insert("__address__".to_owned(), target.clone());
        labels
    })
}

/// The files of a path whose last part may be a pattern.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    if !Glob::is_pattern(&name) {
        return vec![pattern.to_owned()];
    }
    let Ok(glob) = Glob::new(&name) else { return Vec::new() };
    let directory =
        pattern.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| glob.is_match(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(files: &mut Files, config: &ScrapeConfig, counters: &Counters) -> Vec<String> {
        files.targets(config, counters).iter().map(|labels| labels["__address__"].clone()).collect()
    }

    #[test]
    fn files_are_read_again_and_broken_ones_keep_their_targets() {
        let dir = tempfile::TempDir::new().unwrap();
        let text = "scrape_configs: [{job_name: j, static_configs: [{targets: [s]}], file_sd_configs: [{files: ['t*.yml', 'u.json']}]}]";
        let (config, _) = streamflow_prometheus_yml::parse(text, &dir.path().join("prometheus.yml")).unwrap();
        let (config, counters, mut files) =
            (&config.scrape_configs[0], Counters::default(), Files::default());
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        assert_eq!(addresses(&mut files, config, &counters), ["s"]);
        assert_eq!(counters.file_errors.get(), 1, "u.json is missing");
        write("t1.yml", "- targets: [a]\n  labels: {x: y}\n");
        write("t2.yml", "- targets: [b]\n");
        write("u.json", r#"[{"targets": ["c"], "labels": {}}]"#);
        assert_eq!(addresses(&mut files, config, &counters), ["s", "a", "b", "c"]);
        let labels = &files.targets(config, &counters)[1];
        assert_eq!((labels["x"].as_str(), labels["__meta_filepath"].ends_with("t1.yml")), ("y", true));
        write("t1.yml", "- targets: [http://a/b]\n");
        write("u.json", "[{");
        assert_eq!(addresses(&mut files, config, &counters), ["s", "a", "b", "c"]);
        assert_eq!(counters.file_errors.get(), 3);
        std::fs::remove_file(dir.path().join("t2.yml")).unwrap();
        write("t1.yml", "");
        assert_eq!(addresses(&mut files, config, &counters), ["s", "c"]);
    }
}
