//! An ingest that stops before any of its steps, and a recovery that stops before any of its.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::snapshot::commit::{Disk, STOPPED};
use crate::snapshot::commit_point::{CommitPoint, Publication};
use crate::snapshot::frame::Frame;
use crate::snapshot::point_in_time::PointInTime;
use crate::snapshot::spec::DatasetSpec;

fn date() -> Period {
    "2024-01-31".parse().unwrap()
}

fn spec() -> DatasetSpec {
    serde_json::from_value(serde_json::json!({
        "entity": "id",
        "entity_table": "users",
        "label": { "table": "labels", "column": "gone" },
        "features": ["hours"],
        "tables": {
            "users": { "columns": { "id": "string" } },
            "usage": { "columns": { "id": "string", "hours": "float" } },
            "labels": { "columns": { "id": "string", "gone": "boolean" } },
        }
    }))
    .unwrap()
}

fn drop_with(hours: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("users.csv"), "id\na\nb\n").unwrap();
    fs::write(directory.path().join("usage.csv"), format!("id,hours\nb,7\na,{hours}\n")).unwrap();
    fs::write(directory.path().join("labels.csv"), format!("id,gone\nb,0\na,{}\n", hours == "1")).unwrap();
    directory
}

fn content(store: &Snapshots) -> Option<Frame> {
    match store.point_in_time(date(), PointInTime { labels: true, exact: true }) {
        Ok(frame) => Some(frame),
        Err(Error::NoSnapshot { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

/// Every file under a directory with its bytes.
fn tree(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.insert(path.clone(), Vec::new());
            files.extend(tree(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (path, bytes) in tree(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        if path.is_dir() { fs::create_dir_all(target).unwrap() } else { fs::write(target, bytes).unwrap() }
    }
}

fn check_stops(previous: bool) {
    let (old, new) = (drop_with("1"), drop_with("2"));
    let reference = tempfile::tempdir().unwrap();
    let store = Snapshots::open(reference.path(), spec()).unwrap();
    store.ingest(new.path(), date(), false, &mut |_| {}).unwrap();
    let (old_content, new_content) = (previous.then(|| content_of(&old)), content(&store));

    let mut seen = [0, 0];
    for stop in 1.. {
        let data = tempfile::tempdir().unwrap();
        let store = Snapshots::open(data.path(), spec()).unwrap();
        if previous {
            store.ingest(old.path(), date(), false, &mut |_| {}).unwrap();
        }
        store.disk.stop_before.store(store.disk.steps.load(SeqCst) + stop, SeqCst);
        match store.ingest(new.path(), date(), true, &mut |_| {}) {
            Ok(_) => break,
            Err(Error::Io { action: STOPPED, .. }) => {}
            Err(other) => panic!("step {stop}: {other}"),
        }
        // What readers see at once is what they see after recovery: all of the old or of the new.
        let before = content(&store);
        assert!(before == old_content || before == new_content, "step {stop}: {before:?}");
        seen[usize::from(before == new_content)] += 1;
        check_recovery_stops(data.path(), stop);
        drop(store);
        let store = Snapshots::open(data.path(), spec()).unwrap();
        assert_eq!(content(&store), before, "step {stop}");
        assert!(
            !tree(data.path()).keys().any(|path| path.to_string_lossy().contains(".ingest-")),
            "step {stop}"
        );
        store.ingest(new.path(), date(), true, &mut |_| {}).unwrap();
        assert_eq!(content(&store), new_content, "step {stop}");
    }
    assert!(seen[0] > 10 && seen[1] > 10, "the commit point is among the steps: {seen:?}");
}

fn content_of(drop: &tempfile::TempDir) -> Frame {
    let data = tempfile::tempdir().unwrap();
    let store = Snapshots::open(data.path(), spec()).unwrap();
    store.ingest(drop.path(), date(), false, &mut |_| {}).unwrap();
    content(&store).unwrap()
}

/// Recovery from the state in `data`, stopped before each of its steps and made again, ends where
/// one that was not stopped ends.
fn check_recovery_stops(data: &Path, ingest_stop: u64) {
    let recovered = |stop: Option<u64>| {
        let copied = tempfile::tempdir().unwrap();
        copy(data, copied.path());
        let snapshots = copied.path().join("snapshots");
        let disk = Disk::default();
        disk.stop_before.store(stop.unwrap_or(0), SeqCst);
        let finished = commit::recover(&disk, &snapshots).is_ok();
        commit::recover(&Disk::default(), &snapshots).unwrap();
        let files = tree(copied.path()).into_iter();
        let relative =
            files.map(|(path, bytes)| (path.strip_prefix(copied.path()).unwrap().to_path_buf(), bytes));
        (finished, relative.collect::<BTreeMap<_, _>>())
    };
    let (_, expected) = recovered(None);
    for stop in 1.. {
        let (finished, found) = recovered(Some(stop));
        assert_eq!(found, expected, "ingest stopped at {ingest_stop}, recovery at {stop}");
        if finished {
            break;
        }
    }
}

#[test]
fn a_first_ingest_stopped_anywhere_is_there_or_not() {
    check_stops(false);
}

#[test]
fn a_replacement_stopped_anywhere_leaves_the_old_or_the_new() {
    check_stops(true);
}

#[test]
fn a_failed_ingest_leaves_every_byte_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let store = Snapshots::open(data.path(), spec()).unwrap();
    store.ingest(drop_with("1").path(), date(), false, &mut |_| {}).unwrap();
    let before = tree(data.path());
    for hours in ["many", "2\nb,3,4", "2\na,3"] {
        let error = store.ingest(drop_with(hours).path(), date(), true, &mut |_| {}).unwrap_err();
        assert!(matches!(error, Error::Rejected { .. }), "{error}");
        assert_eq!(tree(data.path()), before);
    }
    let error = store.ingest(drop_with("2").path(), date(), false, &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Differs { .. }), "{error}");
    assert_eq!(tree(data.path()), before);
}

#[test]
fn a_table_that_a_replacement_leaves_out_is_removed() {
    let data = tempfile::tempdir().unwrap();
    let mut wider = spec();
    wider.tables.insert("extra".to_string(), wider.tables["users"].clone());
    let drop = drop_with("1");
    fs::copy(drop.path().join("users.csv"), drop.path().join("extra.csv")).unwrap();
    let store = Snapshots::open(data.path(), wider).unwrap();
    store.ingest(drop.path(), date(), false, &mut |_| {}).unwrap();
    assert!(data.path().join("snapshots/extra/as_of=2024-01-31/part-0.parquet").exists());

    let store = Snapshots::open(data.path(), spec()).unwrap();
    let error = store.ingest(drop.path(), date(), false, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("extra (not configured any more)"), "{error}");
    store.ingest(drop.path(), date(), true, &mut |_| {}).unwrap();
    assert!(!data.path().join("snapshots/extra/as_of=2024-01-31").exists());
}

#[test]
fn a_second_writer_is_told_of_the_first() {
    let data = tempfile::tempdir().unwrap();
    let store = Snapshots::open(data.path(), spec()).unwrap();
    let other = Snapshots::open(data.path(), spec()).unwrap();
    let lock = store.lock().unwrap();
    let drop = drop_with("1");
    assert!(matches!(other.ingest(drop.path(), date(), false, &mut |_| {}), Err(Error::Locked { .. })));
    // Opening and reading do not wait for it.
    assert_eq!(Snapshots::open(data.path(), spec()).unwrap().newest().unwrap(), None);
    std::mem::drop(lock);
    other.ingest(drop.path(), date(), false, &mut |_| {}).unwrap();
}

#[test]
fn readers_of_a_date_that_is_being_replaced_see_one_revision() {
    let data = tempfile::tempdir().unwrap();
    let store = Snapshots::open(data.path(), spec()).unwrap();
    let drops = [drop_with("1"), drop_with("2")];
    store.ingest(drops[0].path(), date(), false, &mut |_| {}).unwrap();
    let expected = [content_of(&drops[0]), content_of(&drops[1])];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for turn in 1..=20 {
                store.ingest(drops[turn % 2].path(), date(), true, &mut |_| {}).unwrap();
            }
        });
        while !writer.is_finished() {
            match store.point_in_time(date(), PointInTime { labels: true, exact: true }) {
                Ok(frame) => assert!(expected.contains(&frame), "{frame:?}"),
                // Overtaken by every attempt: said so rather than mixed.
                Err(error) => assert!(matches!(error, Error::Io { .. } | Error::Overtaken { .. }), "{error}"),
            }
        }
    });
}

/// What a store elsewhere has: the revision of the date and its content.
#[derive(Debug, Default)]
struct Elsewhere {
    revision: u64,
    files: BTreeMap<String, Vec<u8>>,
    manifest: Option<(Snapshot, serde_json::Value)>,
}

fn shared_with(store: Snapshots, elsewhere: &std::sync::Arc<std::sync::Mutex<Elsewhere>>) -> Snapshots {
    let elsewhere = elsewhere.clone();
    store.with_commit_point(CommitPoint::new(move |publication| {
        let Publication::Month { snapshot, validation, files } = publication else { return Ok(()) };
        let mut elsewhere = elsewhere.lock().unwrap();
        if elsewhere.revision >= snapshot.revision {
            return Err(format!("another writer committed revision {}", elsewhere.revision).into());
        }
        elsewhere.revision = snapshot.revision;
        elsewhere.files = files.iter().map(|(name, path)| (name.clone(), fs::read(path).unwrap())).collect();
        elsewhere.manifest = Some(((*snapshot).clone(), (*validation).clone()));
        Ok(())
    }))
}

/// Brings what is elsewhere.
fn pull(store: &Snapshots, elsewhere: &std::sync::Mutex<Elsewhere>) -> bool {
    let elsewhere = elsewhere.lock().unwrap();
    let Some((snapshot, validation)) = &elsewhere.manifest else { return false };
    let bring = |folder: &Path| {
        elsewhere
            .files
            .iter()
            .try_for_each(|(name, bytes)| fs::write(folder.join(format!("{name}.parquet")), bytes))?;
        Ok(())
    };
    store.take_over(snapshot, validation, bring).unwrap()
}

#[test]
fn an_ingest_that_is_decided_elsewhere_is_never_visible_here_before_it_is_there() {
    let (old, new) = (drop_with("1"), drop_with("2"));
    let (old_content, new_content) = (Some(content_of(&old)), Some(content_of(&new)));
    let mut ahead = 0;
    for stop in 1.. {
        let data = tempfile::tempdir().unwrap();
        let elsewhere = std::sync::Arc::default();
        let store = shared_with(Snapshots::open(data.path(), spec()).unwrap(), &elsewhere);
        store.ingest(old.path(), date(), false, &mut |_| {}).unwrap();
        store.disk.stop_before.store(store.disk.steps.load(SeqCst) + stop, SeqCst);
        match store.ingest(new.path(), date(), true, &mut |_| {}) {
            Ok(_) => {
                assert!(ahead > 5, "there are stops between the commit there and the commit here: {ahead}");
                return;
            }
            Err(Error::Io { action: STOPPED, .. }) => {}
            Err(other) => panic!("step {stop}: {other}"),
        }
        let (here, there) = (content(&store), elsewhere.lock().unwrap().revision);
        assert!(here == old_content || (here == new_content && there == 2), "step {stop}: {there}");
        ahead += u64::from(there == 2 && here == old_content);
        drop(store);
        let store = shared_with(Snapshots::open(data.path(), spec()).unwrap(), &elsewhere);
        pull(&store, &elsewhere);
        assert_eq!(content(&store), if there == 2 { new_content.clone() } else { old_content.clone() });
        assert!(store.verify().unwrap().is_intact(), "step {stop}");
        store.ingest(new.path(), date(), true, &mut |_| {}).unwrap();
        assert_eq!((content(&store), elsewhere.lock().unwrap().revision), (new_content.clone(), 2));
    }
}

#[test]
fn who_comes_second_changes_nothing_and_takes_over_what_the_first_has_committed() {
    let elsewhere = std::sync::Arc::default();
    let [first, second] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first_store, second_store] =
        [&first, &second].map(|data| shared_with(Snapshots::open(data.path(), spec()).unwrap(), &elsewhere));
    first_store.ingest(drop_with("1").path(), date(), false, &mut |_| {}).unwrap();
    let before = tree(second.path());
    let error = second_store.ingest(drop_with("2").path(), date(), false, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "another writer committed revision 1");
    assert_eq!(tree(second.path()), before);
    assert!(pull(&second_store, &elsewhere) && !pull(&second_store, &elsewhere));
    assert_eq!(content(&second_store), content(&first_store));
    // The same revision of another content takes its place too.
    let other = tempfile::tempdir().unwrap();
    let other_store = Snapshots::open(other.path(), spec()).unwrap();
    other_store.ingest(drop_with("2").path(), date(), false, &mut |_| {}).unwrap();
    assert!(pull(&other_store, &elsewhere));
    assert_eq!(content(&other_store), content(&first_store));
    assert!(other_store.withdraw(date()).unwrap() && !other_store.withdraw(date()).unwrap());
}

#[test]
fn a_file_that_comes_damaged_is_not_taken_over() {
    let elsewhere = std::sync::Arc::default();
    let [first, second] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let store = shared_with(Snapshots::open(first.path(), spec()).unwrap(), &elsewhere);
    store.ingest(drop_with("1").path(), date(), false, &mut |_| {}).unwrap();
    let (snapshot, validation) = elsewhere.lock().unwrap().manifest.clone().unwrap();
    let store = Snapshots::open(second.path(), spec()).unwrap();
    let before = tree(second.path());
    for bytes in [None, Some(b"other")] {
        let bring = |folder: &Path| {
            for table in snapshot.tables.keys() {
                bytes.map_or(Ok(()), |bytes| fs::write(folder.join(format!("{table}.parquet")), bytes))?;
            }
            Ok(())
        };
        let error = store.take_over(&snapshot, &validation, bring).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert_eq!(tree(second.path()), before);
    }
    let error = store.take_over(&snapshot, &validation, |_| Err("no network".into())).unwrap_err();
    assert_eq!((error.to_string().as_str(), tree(second.path())), ("no network", before));
}
