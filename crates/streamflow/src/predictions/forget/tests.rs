use super::*;
use crate::config::LogConfig;
use crate::predictions::read::HOUR_US;
use crate::predictions::{self, read, writer};

/// 2024-03-01T07:30:00Z.
const TIME_US: i64 = 1_709_278_200_000_000;

fn shape() -> Arc<Shape> {
    Arc::new(Shape {
        model: "churn".into(),
        version: "3".into(),
        as_of: "2024-02-29".into(),
        classes: vec!["basic".into(), "plus".into()],
        features: vec![("hours".into(), true), ("plan".into(), false), ("_score".into(), true)],
    })
}

fn row(shape: &Arc<Shape>, time_us: i64, entity: &str) -> Record {
    Record {
        shape: shape.clone(),
        time_us,
        request_id: Some("r1".into()),
        entity: Some(entity.into()),
        protocol: "predict",
        latency_us: 12,
        score: 0.25,
        prediction: Some("0".into()),
        features_sent: 2,
        probabilities: [0.75, 0.25].into(),
        values: vec![Cell::Number(1.5), Cell::Missing, Cell::Missing],
    }
}

fn rows(folder: &Path, window: Window) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    predictions::read(folder, window, |row| {
        found.push((row.time_us, row.entity.unwrap_or_default().into()));
        Ok(())
    })
    .unwrap();
    found
}

fn written(config: &LogConfig, times: &[(i64, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (sink, writing) = writer::open(dir.path(), config).unwrap();
    let shape = shape();
    times.iter().for_each(|(time, entity)| sink.send_record(&row(&shape, *time, entity)));
    writing.end();
    assert_eq!(sink.counts().written.load(std::sync::atomic::Ordering::Relaxed), times.len() as u64);
    dir
}

fn forever() -> LogConfig {
    LogConfig { keep_days: std::num::NonZeroU32::MAX, ..LogConfig::default() }
}

#[test]
fn rows_lie_by_the_hour_and_are_read_by_time() {
    let dir = written(&forever(), &[(TIME_US, "a"), (TIME_US + 1, "b"), (TIME_US + HOUR_US, "c")]);
    let files = files(dir.path(), Window::ALL).unwrap();
    assert_eq!(files.len(), 2, "a file each hour");
    assert!(files[0].starts_with(dir.path().join("date=2024-03-01/hour=07")), "{}", files[0].display());
    let all = rows(dir.path(), Window::ALL);
    assert_eq!(all, [(TIME_US, "a".into()), (TIME_US + 1, "b".into()), (TIME_US + HOUR_US, "c".into())]);
    let window = Window { from_us: TIME_US + 1, to_us: TIME_US + HOUR_US };
    assert_eq!(rows(dir.path(), window), [(TIME_US + 1, "b".to_owned())]);
    let mut found = Vec::new();
    read_file(&files[0], &mut |row: Record| {
        found.push(row);
        Ok(())
    })
    .unwrap();
    assert_eq!(found[0].values, [Cell::Number(1.5), Cell::Missing, Cell::Missing]);
    assert_eq!(
        (&found[0].shape.classes[..], &found[0].probabilities[..]),
        (&shape().classes[..], &[0.75, 0.25][..])
    );
    assert_eq!((found[0].score, found[0].latency_us, &*found[0].shape.version), (0.25, 12, "3"));
    assert_eq!(found[0].shape.features[2].0, "__score", "a column of the log's own keeps its name");
}

#[test]
fn what_a_killed_process_was_writing_is_never_read() {
    let dir = written(&forever(), &[(TIME_US, "a")]);
    let hour = dir.path().join("date=2024-03-01/hour=07");
    std::fs::write(hour.join(".part-1-4000000-0.parquet.partial"), b"PAR1 half").unwrap();
    std::fs::write(hour.join(format!(".part-1-{}-0.parquet.partial", std::process::id())), b"mine").unwrap();
    assert_eq!(rows(dir.path(), Window::ALL).len(), 1);
    read::remove_unfinished(dir.path());
    assert!(!hour.join(".part-1-4000000-0.parquet.partial").exists());
    assert!(hour.join(format!(".part-1-{}-0.parquet.partial", std::process::id())).exists());
    // A file that is damaged is named.
    std::fs::write(hour.join("part-2-1-0.parquet"), b"PAR1 half").unwrap();
    let error = predictions::read(dir.path(), Window::ALL, |_| Ok(())).unwrap_err();
    assert!(format!("{error:#}").contains("part-2-1-0.parquet"), "{error:#}");
}

#[test]
fn an_entity_leaves_in_clear_and_hashed() {
    let key = Naming::Hashed(b"0123456789abcdef".to_vec());
    let hashed = key.of_entity("a").unwrap().to_string();
    let dir = written(
        &forever(),
        &[(TIME_US, "a"), (TIME_US + 1, "b"), (TIME_US + 2, &hashed), (TIME_US + HOUR_US, "a")],
    );
    assert_eq!(count(dir.path(), "a", &key).unwrap(), 3);
    assert_eq!(count(dir.path(), "a", &Naming::Left).unwrap(), 2);
    assert_eq!(forget(dir.path(), "a", &key).unwrap(), 3);
    assert_eq!(rows(dir.path(), Window::ALL), [(TIME_US + 1, "b".to_owned())]);
    assert_eq!(forget(dir.path(), "a", &key).unwrap(), 0);
}

#[test]
fn old_hours_and_those_over_the_size_go() {
    let dir = written(&forever(), &[(TIME_US, "a"), (TIME_US + HOUR_US, "b"), (TIME_US + 2 * HOUR_US, "c")]);
    let now = jiff::Timestamp::from_microsecond(TIME_US + 24 * HOUR_US + HOUR_US).unwrap();
    let day = LogConfig { keep_days: std::num::NonZeroU32::MIN, ..LogConfig::default() };
    crate::predictions::bounds::keep(dir.path(), &day, None).unwrap();
    assert_eq!(rows(dir.path(), Window::ALL).len(), 3, "a clock that is not believed deletes nothing");
    let bytes = crate::predictions::bounds::keep(dir.path(), &day, Some(now)).unwrap();
    assert_eq!(rows(dir.path(), Window::ALL).len(), 2);
    assert!(bytes > 100);
    let small = LogConfig { max_bytes: std::num::NonZeroU64::MIN, ..forever() };
    crate::predictions::bounds::keep(dir.path(), &small, None).unwrap();
    assert_eq!(rows(dir.path(), Window::ALL), [(TIME_US + 2 * HOUR_US, "c".to_owned())]);
}

#[test]
fn answers_of_two_versions_in_turn_are_two_files() {
    let dir = tempfile::tempdir().unwrap();
    let (sink, writing) = writer::open(dir.path(), &forever()).unwrap();
    let of_version = |version: &str| {
        let Shape { model, as_of, classes, features, .. } = shape().as_ref().clone();
        Arc::new(Shape { model, version: version.into(), as_of, classes, features })
    };
    let shapes = ["3", "4"].map(of_version);
    for number in 0..2_000 {
        sink.send_record(&row(&shapes[number % 2], TIME_US + number as i64, "a"));
    }
    writing.end();
    assert_eq!(files(dir.path(), Window::ALL).unwrap().len(), 2);
    assert_eq!(rows(dir.path(), Window::ALL).len(), 2_000);
    let size = sink.counts().size_bytes.load(std::sync::atomic::Ordering::Relaxed);
    assert!(size > 1_000, "{size}");
}

#[test]
fn a_full_queue_and_a_disk_that_takes_nothing_drop_and_count() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("predictions");
    let (sink, writing) = writer::open(&folder, &forever()).unwrap();
    // Where the day's folder should be is a file.
    std::fs::write(folder.join("date=2024-03-01"), b"in the way").unwrap();
    let shape = shape();
    sink.send_record(&row(&shape, TIME_US, "a"));
    writing.end();
    let of = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((of(&sink.counts().written), of(&sink.counts().dropped_by_disk)), (0, 1));
    // Nobody takes rows any more.
    sink.send_record(&row(&shape, TIME_US, "a"));
    assert_eq!(of(&sink.counts().dropped_by_queue), 1);
}

/// Every reader stops at a file of which one bit has changed, wherever, and says which one it is.
#[test]
fn a_flipped_bit_is_read_by_nobody() {
    let dir = written(&forever(), &[(TIME_US, "a"), (TIME_US + 1, "b"), (TIME_US + HOUR_US, "c")]);
    let file = files(dir.path(), Window::ALL).unwrap()[0].clone();
    let (name, whole) =
        (file.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&file).unwrap());
    let before = rows(dir.path(), Window::ALL);
    let mut harmless = 0;
    for byte in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1 << (byte % 8);
        std::fs::write(&file, bytes).unwrap();
        let mut found = Vec::new();
        let read = predictions::read(dir.path(), Window::ALL, |row| {
            found.push((row.time_us, row.entity.unwrap_or_default().into()));
            Ok(())
        });
        match read {
            Err(error) => {
                let error = format!("{error:#}");
                assert!(error.contains(&name) && error.contains("is damaged: "), "byte {byte}: {error}");
                assert!(error.contains("restore it from a backup, or delete it"), "byte {byte}: {error}");
            }
            // The name of the checksum.
            Ok(()) => {
                assert_eq!(found, before, "byte {byte}");
                harmless += 1;
            }
        }
    }
    assert!(harmless <= 18, "{harmless} bytes are covered by nothing");

    let mut bytes = whole.clone();
    bytes[whole.len() / 3] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    let error = |error: anyhow::Error| format!("{error:#}");
    let stopped = [
        error(predictions::asked(dir.path(), Window::ALL, "churn").unwrap_err()),
        error(count(dir.path(), "a", &Naming::Clear).unwrap_err()),
        error(forget(dir.path(), "a", &Naming::Clear).unwrap_err()),
    ];
    for error in stopped {
        assert!(error.contains(&name) && error.contains("by its checksum"), "{error}");
    }
    assert!(file.exists(), "nothing is deleted for its damage");
    let health = predictions::look(dir.path(), usize::MAX).unwrap();
    assert_eq!((health.files, health.checked, health.faults.len()), (2, 2, 1));
    assert!(health.faults[0].contains(&name), "{:?}", health.faults);
    assert_eq!(predictions::look(dir.path(), 1).unwrap().faults, Vec::<String>::new(), "the newest alone");
}

#[test]
fn what_lies_in_no_hour_or_in_another_one_is_named() {
    let dir = written(&forever(), &[(TIME_US, "a"), (TIME_US + HOUR_US, "b")]);
    let look = || predictions::look(dir.path(), usize::MAX).unwrap();
    assert_eq!(look().astray, Vec::<String>::new());
    let day = dir.path().join("date=2024-03-01");
    std::fs::rename(day.join("hour=08"), day.join("hour=09")).unwrap();
    std::fs::create_dir(day.join("hour=99")).unwrap();
    std::fs::write(day.join("hour=10"), "no folder").unwrap();
    std::fs::create_dir(dir.path().join("date=2024-02-30")).unwrap();
    let found = look();
    assert_eq!((found.files, found.faults.len(), found.astray.len()), (2, 0, 4), "{:?}", found.astray);
    for expected in [
        "date=2024-02-30 is no folder of a day",
        "hour=10 is no folder of an hour",
        "hour=99 is no folder of an hour",
        "has an answer of 2024-03-01T08:30:00Z, which is not of its folder's hour",
    ] {
        assert!(found.astray.iter().any(|said| said.contains(expected)), "{expected}: {:?}", found.astray);
    }
}

#[test]
fn a_file_of_an_earlier_release_is_read_and_a_score_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let shape = shape();
    let write = |score: f64, second: f64| {
        let mut row = row(&shape, TIME_US, "a");
        (row.score, row.probabilities) = (score, [1.0 - second, second].into());
        let path = read::path(dir.path(), TIME_US, 0);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let (format, columns) = (streamflow_dataset::OutputFormat::Parquet, shape.columns());
        let mut writer = streamflow_dataset::TableWriter::create(&path, format, &columns).unwrap();
        writer.write(crate::predictions::columns::Columns::of(&shape, &[row]).into_output()).unwrap();
        writer.finish().unwrap();
        predictions::read(dir.path(), Window::ALL, |_| Ok(()))
    };
    write(0.25, 0.25).unwrap();
    write(f64::NAN, 0.25).unwrap();
    for (score, second, wild) in [(7.0, 0.25, "7"), (0.25, -1e300, "1000"), (f64::INFINITY, 0.25, "inf")] {
        let error = format!("{:#}", write(score, second).unwrap_err());
        assert!(error.contains("part-") && error.contains(&format!("the probability {wild}")), "{error}");
    }
}

/// A release that did not keep how many features were sent wrote one column fewer.
#[test]
fn a_file_without_the_number_of_sent_features_is_read_and_merged() {
    let dir = tempfile::tempdir().unwrap();
    let shape = shape();
    let path = read::path(dir.path(), TIME_US, 0);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let is_kept = |name: &String| name != "_features_sent";
    let mut columns = shape.columns();
    let values = crate::predictions::columns::Columns::of(&shape, &[row(&shape, TIME_US, "a")]).into_output();
    let values: Vec<_> = values
        .into_iter()
        .zip(&columns)
        .filter(|(_, (name, _))| is_kept(name))
        .map(|(values, _)| values)
        .collect();
    columns.retain(|(name, _)| is_kept(name));
    let format = streamflow_dataset::OutputFormat::Parquet;
    let mut writer = streamflow_dataset::TableWriter::create(&path, format, &columns).unwrap();
    writer.write(values).unwrap();
    writer.finish().unwrap();
    write_file(&read::path(dir.path(), TIME_US + 1, 1), &shape, &[row(&shape, TIME_US + 1, "b")]).unwrap();
    let mut rows = Vec::new();
    predictions::read(dir.path(), Window::ALL, |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    assert_eq!(rows.iter().map(|row| row.features_sent).collect::<Vec<_>>(), [0, 2]);
    assert_eq!((&rows[0].shape, &rows[0].values), (&rows[1].shape, &rows[1].values));
}
