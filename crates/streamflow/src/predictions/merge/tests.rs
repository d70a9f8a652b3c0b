use super::super::read::path;
use super::super::record::Cell;
use super::super::{Window, files, forget_entity, read};
use super::*;
use crate::predictions::Naming;
use crate::predictions::writer::write_file;

/// 2024-03-01T07:00:00Z.
const HOUR: i64 = 1_709_276_400_000_000;

fn shape(version: &str) -> Arc<Shape> {
    let features = vec![("hours".to_owned(), true), ("plan".to_owned(), false)];
    let (model, as_of) = ("churn".to_owned(), "2024-02-29".to_owned());
    Arc::new(Shape { model, version: version.to_owned(), as_of, classes: vec!["a".into()], features })
}

fn row(shape: &Arc<Shape>, second: i64) -> Record {
    Record {
        shape: shape.clone(),
        time_us: HOUR + second * 1_000_000,
        request_id: Some(format!("r{second}").into()),
        entity: Some(format!("u{}", second % 7).into()),
        protocol: "batch",
        latency_us: second,
        score: second as f64 / 4000.0,
        prediction: Some("a".into()),
        features_sent: 2,
        probabilities: [0.5].into(),
        values: vec![
            if second % 3 == 0 { Cell::Missing } else { Cell::Number(second as f64) },
            Cell::Text("x".into()),
        ],
    }
}

/// A file of ten rows every ten seconds; every fourth by another version.
fn log(count: i64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let shapes = [shape("1"), shape("2")];
    for file in 0..count {
        let shape = &shapes[usize::from(file % 4 == 3)];
        let rows: Vec<Record> = (file * 10..file * 10 + 10).map(|second| row(shape, second)).collect();
        write_file(&path(dir.path(), rows[0].time_us, file.unsigned_abs()), shape, &rows).unwrap();
    }
    dir
}

/// All that is kept of each row, in the order of time.
fn told(folder: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    read(folder, Window::ALL, |row| {
        rows.push((row.time_us, format!("{row:?}")));
        Ok(())
    })
    .unwrap();
    rows.sort();
    rows.into_iter().map(|(_, text)| text).collect()
}

fn run(merging: &mut Merging, folder: &Path) -> usize {
    merging.begin(folder, HOUR + HOUR_US + AFTER_US).unwrap();
    let mut steps = 0;
    while merging.is_busy() {
        merging.step(folder, 1000 + steps as u64).unwrap();
        steps += 1;
    }
    steps
}

#[test]
fn the_files_of_an_hour_become_one_for_each_version() {
    let dir = log(40);
    let before = told(dir.path());
    let mut merging = Merging::default();
    merging.begin(dir.path(), HOUR + HOUR_US).unwrap();
    assert!(!merging.is_busy(), "its last answers may still be written");
    assert_eq!(run(&mut merging, dir.path()), 41);
    assert_eq!((files(dir.path(), Window::ALL).unwrap().len(), told(dir.path())), (2, before.clone()));
    let left = entries(&dir.path().join("date=2024-03-01/hour=07")).unwrap();
    assert_eq!(left.len(), 2, "nothing is left beside: {left:?}");
    assert_eq!(run(&mut merging, dir.path()), 0, "there is nothing more to merge");
    // What comes late is merged too.
    let late = [row(&shape("1"), 3599)];
    write_file(&path(dir.path(), late[0].time_us, 99), &late[0].shape, &late).unwrap();
    assert_eq!(run(&mut merging, dir.path()), 4);
    assert_eq!((files(dir.path(), Window::ALL).unwrap().len(), told(dir.path()).len()), (2, 401));
}

/// A copy of the folder as it is found after a process was killed at any moment of the last step.
#[test]
fn rows_are_read_once_wherever_a_process_is_killed() {
    let dir = log(3);
    let before = told(dir.path());
    let sources = files(dir.path(), Window::ALL).unwrap();
    let merged = path(dir.path(), HOUR, 7);
    // Announced, and not there.
    replaced::announce(&merged, &sources).unwrap();
    assert_eq!(told(dir.path()), before);
    replaced::end_cut_off(dir.path()).unwrap();
    assert_eq!(entries(merged.parent().unwrap()).unwrap().len(), 3);
    // There, with all it replaces, and with some of that.
    replaced::announce(&merged, &sources).unwrap();
    let mut rows = Vec::new();
    for source in &sources {
        read_file(source, &mut |row| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
    }
    write_file(&merged, &rows[0].shape, &rows).unwrap();
    for source in &sources {
        assert_eq!(told(dir.path()), before);
        std::fs::remove_file(source).unwrap();
    }
    assert_eq!(told(dir.path()), before);
    replaced::end_cut_off(dir.path()).unwrap();
    assert_eq!(entries(merged.parent().unwrap()).unwrap().len(), 1);
    assert_eq!(told(dir.path()), before);
}

#[test]
fn files_wait_for_readers_and_an_entity_for_files() {
    let dir = log(4);
    let mut merging = Merging::default();
    // The lock is there from the first look on.
    drop(replaced::replacing(dir.path()).unwrap());
    let reader = replaced::reading(dir.path()).unwrap().unwrap();
    merging.begin(dir.path(), i64::MAX).unwrap();
    (0..8).for_each(|number| merging.step(dir.path(), number + 50).unwrap());
    assert!(merging.is_busy() && files(dir.path(), Window::ALL).unwrap().len() == 4);
    assert!(replaced::merging(dir.path()).unwrap().is_none(), "forget waits for what is being merged");
    drop(reader);
    merging.step(dir.path(), 60).unwrap();
    assert!(!merging.is_busy());
    assert_eq!(files(dir.path(), Window::ALL).unwrap().len(), 2);
    let count = |folder: &Path| told(folder).iter().filter(|row| row.contains("\"u3\"")).count();
    assert!(count(dir.path()) > 0);
    forget_entity(dir.path(), "u3", &Naming::Clear).unwrap();
    assert_eq!(count(dir.path()), 0);
}

#[test]
fn an_hour_with_a_damaged_file_stays_as_it_is() {
    let dir = log(3);
    let damaged = files(dir.path(), Window::ALL).unwrap()[1].clone();
    std::fs::write(&damaged, b"PAR1 half").unwrap();
    let mut merging = Merging::default();
    merging.begin(dir.path(), i64::MAX).unwrap();
    merging.step(dir.path(), 50).unwrap();
    let error = format!("{:#}", merging.step(dir.path(), 51).unwrap_err());
    assert!(error.contains(damaged.file_name().unwrap().to_str().unwrap()), "{error}");
    assert_eq!(entries(damaged.parent().unwrap()).unwrap().len(), 3, "nothing is left beside");
    merging.begin(dir.path(), i64::MAX).unwrap();
    assert!(!merging.is_busy(), "it is told once");
}

#[test]
fn a_damaged_list_counts_no_row_twice() {
    let dir = log(3);
    let sources = files(dir.path(), Window::ALL).unwrap();
    let merged = path(dir.path(), HOUR, 7);
    replaced::announce(&merged, &sources).unwrap();
    std::fs::copy(&sources[0], &merged).unwrap();
    let list = merged.with_file_name(format!(".merged-{}.json", merged.file_name().unwrap().display()));
    let names = std::fs::read_to_string(&list).unwrap();
    for damaged in ["", "[", "[7]", &names.replacen("part-", "qart-", 1), "[\"../part-1.parquet\"]"] {
        std::fs::write(&list, damaged).unwrap();
        let error = format!("{:#}", read(dir.path(), Window::ALL, |_| Ok(())).unwrap_err());
        assert!(error.contains("could count twice") && error.contains(".merged-part-"), "{damaged}: {error}");
        assert!(replaced::end_cut_off(dir.path()).is_err() && sources[0].exists(), "nothing is deleted");
    }
    std::fs::write(&list, names).unwrap();
    assert_eq!(told(dir.path()).len(), 10);
}
