//! What processes that are gone have left of files that were not whole: reports written aside, models without a number.

use std::fs;
use std::path::{Path, PathBuf};

/// How deep models that have no number lie in their folder.
const MODELS_DEPTH: usize = 2;

/// The files and folders that were being written by processes that are no more.
pub fn leftovers(data_dir: &Path, report_dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![(data_dir.join("models"), MODELS_DEPTH)]);
    while let Some((folder, depth)) = folders.pop() {
        for (name, path) in entries(&folder) {
            match process_of_model(&name) {
                Some(process) if is_gone(process) => found.push(path),
                None if depth > 1 && path.is_dir() => folders.push((path, depth - 1)),
                _ => {}
            }
        }
    }
    let of_reports =
        entries(report_dir).into_iter().filter(|(name, _)| process_of_report(name).is_some_and(is_gone));
    found.extend(of_reports.map(|(_, path)| path));
    found.sort();
    found
}

fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}

/// `.incoming-PID`, which is named by its registry, and `..incoming-PID.partial`, as a model is written.
fn process_of_model(name: &str) -> Option<u32> {
    let whole = name.strip_prefix('.').and_then(|name| name.strip_suffix(".partial")).unwrap_or(name);
    number(whole.strip_prefix(".incoming-")?)
}

/// `.NAME.PID` of a report, and the file with which `doctor` tries whether one can be written.
fn process_of_report(name: &str) -> Option<u32> {
    let (name, process) = name.strip_prefix('.')?.rsplit_once('.')?;
    (name == "doctor" || name.starts_with("drift_")).then(|| number(process)).flatten()
}

fn number(digits: &str) -> Option<u32> {
    digits.chars().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// False also where the system does not tell.
fn is_gone(process: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_process_that_is_gone_was_writing_is_left_over() {
        let dir = tempfile::tempdir().unwrap();
        let (data, reports) = (dir.path().join("data"), dir.path().join("reports"));
        // Numbers of processes end far below.
        let (gone, own) = (u32::MAX, std::process::id());
        let folder = |name: String| fs::create_dir_all(data.join("models").join(name)).unwrap();
        for process in [gone, own] {
            folder(format!("churn/.incoming-{process}"));
            folder(format!("churn/..incoming-{process}.partial"));
            folder(format!("..incoming-{process}.partial"));
        }
        folder("churn/1".to_owned());
        folder("churn/.incoming-x".to_owned());
        fs::create_dir_all(&reports).unwrap();
        for name in [
            format!(".drift_a_vs_b.json.{gone}"),
            format!(".drift_a_vs_b.json.{own}"),
            format!(".doctor.{gone}"),
            format!(".mine.{gone}"),
            "drift_a_vs_b.json".to_owned(),
        ] {
            fs::write(reports.join(name), "").unwrap();
        }
        let found = leftovers(&data, &reports);
        let names: Vec<String> =
            found.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string()).collect();
        let expected = [
            format!("data/models/..incoming-{gone}.partial"),
            format!("data/models/churn/..incoming-{gone}.partial"),
            format!("data/models/churn/.incoming-{gone}"),
            format!("reports/.doctor.{gone}"),
            format!("reports/.drift_a_vs_b.json.{gone}"),
        ];
        assert_eq!(names, expected);
        assert!(leftovers(&dir.path().join("none"), &dir.path().join("none")).is_empty());
    }
}
