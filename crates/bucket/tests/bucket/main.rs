//! Commits, readers and caches against a real server of S3's protocol, with faults between.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod proxy;
mod server;

use std::collections::BTreeMap;
use std::path::Path;

use proxy::{Fault, Proxy};
use serde_json::{Value, json};
use server::{bucket_at, bucket_with};
use streamflow_bucket::{Bucket, Cache, Change, Error, Held, Kind, NewFile, Settings};
use streamflow_oracles::S3Server;

const KEY: &str = "ledger/a.json";

/// The body of a record and the files of its set.
type Content = (Value, BTreeMap<String, String>);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A change to two files that hold `text`.
fn change<'a>(dir: &Path, text: &str, expected: Option<&'a Held>) -> Change<'a> {
    let file = |name: &str| {
        let from = dir.join(format!("{name}-{text}"));
        std::fs::write(&from, format!("{name} {text}")).unwrap();
        NewFile { path: format!("{name}/part.csv"), key: format!("{name}/as_of=1/part.csv"), from }
    };
    let files = vec![file("users"), file("usage")];
    let (what, by, body) = (format!("the set {text}"), format!("writer of {text}"), json!({ "says": text }));
    Change { key: KEY, what, expected, by, removed: false, files, body }
}

/// What a reader finds.
async fn content(bucket: &Bucket) -> Result<Option<Content>, Error> {
    let Some(held) = bucket.record(KEY).await? else { return Ok(None) };
    content_of(bucket, held).await.map(Some)
}

async fn content_of(bucket: &Bucket, held: Held) -> Result<Content, Error> {
    let folder = tempfile::tempdir().unwrap();
    let held = bucket.fetch(KEY, held, folder.path(), &|_| true).await?;
    let read = |path: &String| std::fs::read_to_string(folder.path().join(path)).unwrap();
    let files = held.record.files.iter().map(|file| (file.path.clone(), read(&file.path)));
    Ok((held.record.body.clone(), files.collect()))
}

fn expected(text: &str) -> Content {
    let file = |name: &str| (format!("{name}/part.csv"), format!("{name} {text}"));
    (json!({ "says": text }), [file("users"), file("usage")].into())
}

#[test]
fn of_two_writers_one_wins_and_the_other_is_told_and_changes_nothing() {
    let Some(server) = S3Server::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let open = || bucket_at(&server.address, "s3://shop/data");
        let (one, other) = (open(), open());
        for round in 0..2_u64 {
            let seen = [one.record(KEY).await.unwrap(), other.record(KEY).await.unwrap()];
            let texts = [format!("one {round}"), format!("other {round}")];
            let won = one.commit(change(dir.path(), &texts[0], seen[0].as_ref())).await.unwrap();
            assert_eq!(won.record.generation, round + 1);
            let lost = other.commit(change(dir.path(), &texts[1], seen[1].as_ref())).await.unwrap_err();
            assert_eq!(lost.kind(), Kind::Lost);
            let [won, lost_text] = texts;
            let words = format!(
                "the set {lost_text} was not committed: another writer (writer of {won}) has committed another \
                 meanwhile, generation {}; nothing was changed",
                round + 1
            );
            assert!(lost.to_string().starts_with(&words), "{lost}");
            assert_eq!(content(&other).await.unwrap(), Some(expected(&won)));
        }
        assert_eq!((other.counts().state().commits_lost, one.counts().state().commits_made), (2, 2));
        // What the loser and the first generation left is gone with the next commit.
        let held = one.record(KEY).await.unwrap().unwrap();
        one.commit(change(dir.path(), "last", Some(&held))).await.unwrap();
        assert_eq!(one.list("").await.unwrap().len(), 3);
    });
}

#[test]
fn writers_at_the_same_time_leave_one_whole_set() {
    let Some(server) = S3Server::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bucket = bucket_at(&server.address, "s3://shop/race");
        let mut held = None;
        for round in 0..4 {
            let attempts = (0..4).map(|writer| {
                let text = format!("{round}-{writer}");
                let attempt = change(dir.path(), &text, held.as_ref());
                let bucket = bucket.clone();
                async move { (text, bucket.commit(attempt).await) }
            });
            let ended = futures_util::future::join_all(attempts).await;
            let won: Vec<&String> =
                ended.iter().filter(|(_, ended)| ended.is_ok()).map(|(text, _)| text).collect();
            assert_eq!(won.len(), 1, "{ended:?}");
            for (_, ended) in ended.iter().filter(|(_, ended)| ended.is_err()) {
                assert_eq!(ended.as_ref().unwrap_err().kind(), Kind::Lost);
            }
            assert_eq!(content(&bucket).await.unwrap(), Some(expected(won[0])));
            held = bucket.record(KEY).await.unwrap();
        }
    });
}

/// Every request of a commit fails from one on, in each way; then the network is well again.
#[test]
fn a_commit_that_is_cut_off_anywhere_is_there_or_not_and_can_be_made_again() {
    let Some(server) = S3Server::start() else { return };
    let proxy = Proxy::start(&server.address);
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let well = bucket_at(&server.address, "s3://shop/cut");
        let cut = bucket_at(&proxy.address, "s3://shop/cut");
        let (mut stops, mut turn) = ([0, 0], 0);
        for fault in [Fault::CutBefore, Fault::CutAfter, Fault::Answer(500, "")] {
            for stop in 1.. {
                turn += 1;
                let text = format!("turn {turn}");
                let old = well.record(KEY).await.unwrap();
                let before = content(&well).await.unwrap();
                let fault = fault.clone();
                proxy.set(move |seen| if seen.number >= stop { fault.clone() } else { Fault::None });
                let ended = cut.commit(change(dir.path(), &text, old.as_ref())).await;
                let is_whole = proxy.seen() < stop;
                let after = content(&well).await.unwrap();
                let is_new = after == Some(expected(&text));
                assert!(is_new || after == before, "{text}: {after:?}");
                assert!(ended.is_err() || is_new, "{text} was said to be committed: {after:?}");
                stops[usize::from(is_new)] += 1;
                // A reader of the old record ends with one of the two.
                if let Some(old) = old {
                    let read = Some(content_of(&well, old).await.unwrap());
                    assert!(read == before || read == after, "{text}: {read:?}");
                }
                let now = well.record(KEY).await.unwrap();
                let again = format!("{text} again");
                well.commit(change(dir.path(), &again, now.as_ref())).await.unwrap();
                assert_eq!(content(&well).await.unwrap(), Some(expected(&again)));
                assert_eq!(well.list("").await.unwrap().len(), 3, "{text}: something was left");
                if is_whole {
                    break;
                }
            }
        }
        assert!(stops[0] >= 6 && stops[1] >= 6, "the commit point is among the stops: {stops:?}");
        println!("commits that were cut off: {stops:?} before and after the commit point, 0 half done");
    });
}

#[test]
fn what_passes_is_tried_again_and_a_commit_that_was_made_is_not_lost_to_itself() {
    let Some(server) = S3Server::start() else { return };
    let proxy = Proxy::start(&server.address);
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let settings = Settings { retries: 3, ..Settings::default() };
        let bucket = bucket_with(&proxy.address, "s3://shop/retry", settings);
        let faults = [Fault::CutBefore, Fault::CutAfter, Fault::Answer(503, "<Code>SlowDown</Code>")];
        let (mut held, mut generation) = (None, 0);
        for fault in faults {
            for stop in 1..=3 {
                generation += 1;
                let fault = fault.clone();
                proxy.set(move |seen| if seen.number == stop { fault.clone() } else { Fault::None });
                let text = format!("{generation}");
                let made = bucket.commit(change(dir.path(), &text, held.as_ref())).await;
                let made = made.unwrap_or_else(|error| panic!("{stop}: {error}"));
                assert_eq!(made.record.generation, generation);
                proxy.set(|_| Fault::None);
                assert_eq!(content(&bucket).await.unwrap(), Some(expected(&text)));
                held = Some(made);
            }
        }
        let requests = bucket.counts().requests();
        let counted = |outcome: &str| requests.iter().any(|count| count.outcome == outcome);
        assert!(counted("ok") && counted("throttled") && counted("cut_off"), "{requests:?}");
    });
}

#[test]
fn each_refusal_has_its_kind_and_its_remedy_and_changes_nothing() {
    let Some(server) = S3Server::start() else { return };
    let proxy = Proxy::start(&server.address);
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let settings =
            Settings { retries: 0, timeout_seconds: 1.try_into().unwrap(), ..Settings::default() };
        let bucket = bucket_with(&proxy.address, "s3://shop/refused", settings);
        let held = bucket.commit(change(dir.path(), "old", None)).await.unwrap();
        let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the \
                      current time is too large.</Message><RequestTime>20200101T000000Z</RequestTime>\
                      <ServerTime>2020-01-01T00:20:00Z</ServerTime></Error>";
        let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        for (fault, kind, words) in [
            (Fault::Answer(403, skewed), Kind::ClockSkew, "the store's says 2020-01-01T00:20:00Z"),
            (Fault::Answer(403, denied), Kind::Denied, "the key AKIA…MPLE of AWS_ACCESS_KEY_ID"),
            (Fault::Answer(500, ""), Kind::Failing, "the store answered 500"),
            (Fault::CutBefore, Kind::Unreachable, "reachable from here"),
            (Fault::Silence, Kind::Unreachable, "reachable from here"),
        ] {
            proxy.set(move |_| fault.clone());
            let attempts = [
                bucket.commit(change(dir.path(), "new", Some(&held))).await.map(drop).unwrap_err(),
                bucket.record(KEY).await.map(drop).unwrap_err(),
                bucket.list("").await.map(drop).unwrap_err(),
            ];
            for error in attempts {
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.to_string().contains(words), "{error}");
                assert!(!error.to_string().contains("s3cret"), "{error}");
            }
            proxy.set(|_| Fault::None);
            assert_eq!(content(&bucket).await.unwrap(), Some(expected("old")));
        }
        let gone = bucket_at(&server.address, "s3://no-such-shop/a");
        let attempts = [
            gone.list("").await.map(drop).unwrap_err(),
            gone.record(KEY).await.map(drop).unwrap_err(),
            gone.commit(change(dir.path(), "new", None)).await.map(drop).unwrap_err(),
        ];
        for error in attempts {
            assert_eq!(error.kind(), Kind::NoBucket, "{error}");
            assert!(error.to_string().contains("is s3://no-such-shop the right bucket"), "{error}");
        }
    });
}

#[test]
fn a_stale_listing_hides_what_is_new_and_loses_nothing() {
    let Some(server) = S3Server::start() else { return };
    let proxy = Proxy::start(&server.address);
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bucket = bucket_at(&proxy.address, "s3://shop/stale");
        let before = bucket.list("ledger").await.unwrap();
        proxy.set(|seen| if seen.target.contains("list-type") { Fault::Stale } else { Fault::None });
        let held = bucket.commit(change(dir.path(), "new", None)).await.unwrap();
        assert_eq!(bucket.list("ledger").await.unwrap(), before);
        assert_eq!(content(&bucket).await.unwrap(), Some(expected("new")));
        bucket.commit(change(dir.path(), "newer", Some(&held))).await.unwrap();
        assert_eq!(content(&bucket).await.unwrap(), Some(expected("newer")));
    });
}

#[test]
fn damaged_and_missing_files_are_named_and_never_read() {
    let Some(server) = S3Server::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bucket = bucket_at(&server.address, "s3://shop/damaged");
        let held = bucket.commit(change(dir.path(), "old", None)).await.unwrap();
        let key = &held.record.files[0].key;
        let other = dir.path().join("other");
        std::fs::write(&other, "users ole").unwrap();
        bucket.upload(&other, key).await.unwrap();
        let error = content(&bucket).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        let words = format!("s3://shop/damaged/{key} is damaged: its SHA-256");
        assert!(error.to_string().contains(&words), "{error}");
        bucket.delete(key).await.unwrap();
        bucket.delete(key).await.unwrap();
        let error = content(&bucket).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        assert!(error.to_string().contains("is not there"), "{error}");
    });
}

#[test]
fn large_objects_go_up_in_parts_and_come_down_although_the_connection_is_cut() {
    let Some(server) = S3Server::start() else { return };
    let proxy = Proxy::start(&server.address);
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let settings = Settings { retries: 5, ..Settings::default() };
        let bucket = bucket_with(&proxy.address, "s3://shop/large", settings);
        let from = dir.path().join("large");
        let bytes: Vec<u8> =
            (0..20_000_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(&from, &bytes).unwrap();
        let (sha256, size) = streamflow_bucket::sha256_of(&from).unwrap();
        bucket.upload(&from, "a/large.bin").await.unwrap();
        let objects = bucket.list("a").await.unwrap();
        assert_eq!((objects.len(), objects[0].size_bytes), (1, size));
        proxy.set(|seen| if seen.number <= 2 { Fault::CutWithin } else { Fault::None });
        let to = dir.path().join("down");
        let e_tag = objects[0].e_tag.as_deref();
        let got = bucket.download("a/large.bin", e_tag, &to, &|_| ()).await.unwrap();
        assert_eq!((got, streamflow_bucket::sha256_of(&to).unwrap().0), (sha256.clone(), sha256));
        assert!(proxy.seen() > 2, "it was cut off and asked for again");
    });
}

#[test]
fn a_cache_fetches_what_is_new_and_stays_within_its_bound() {
    let Some(server) = S3Server::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let bucket = bucket_at(&server.address, "s3://shop/cache");
        let put = async |name: &str, text: &str| {
            let from = dir.path().join(name);
            std::fs::write(&from, text).unwrap();
            bucket.upload(&from, name).await.unwrap();
        };
        let folder = dir.path().join("cached");
        let cache = Cache::new(folder.clone(), 10);
        let read = async |name: &str| {
            let listed = bucket.list("").await.unwrap();
            let objects: Vec<_> = listed.into_iter().filter(|object| object.path == name).collect();
            let files = cache.files(&bucket, &objects, &|_| ()).await.unwrap();
            std::fs::read_to_string(&files[0].file).unwrap()
        };
        let gets = || {
            let requests = bucket.counts().requests();
            requests.iter().filter(|count| count.operation == "get").map(|count| count.requests).sum::<u64>()
        };
        put("a.csv", "one").await;
        assert_eq!((read("a.csv").await.as_str(), gets()), ("one", 1));
        assert_eq!((read("a.csv").await.as_str(), gets()), ("one", 1));
        put("a.csv", "two").await;
        assert_eq!((read("a.csv").await.as_str(), gets()), ("two", 2));
        put("b.csv", "twelve bytes").await;
        assert_eq!((read("b.csv").await.as_str(), gets()), ("twelve bytes", 3));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "the others made place");
    });
}
