//! Several connections, and what is sent beside the samples.

use super::super::sender::Sender;
use super::super::shards::{Item, Shards};
use super::*;

/// Every series by itself is in order, whatever the receiver answers and however many shards there are meanwhile.
fn assert_in_order(samples: &Received, series: usize, upto: i64) {
    assert_eq!(samples.len(), series);
    for (labels, found) in samples {
        let times: Vec<i64> = found.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, (1..upto).collect::<Vec<_>>(), "{labels}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_keep_the_order_of_a_series_through_refusals_and_other_numbers_of_shards() {
    let dir = tempfile::tempdir().unwrap();
    let answers: Vec<u16> = [500, 429, 503].repeat(40);
    let (receiver, url) = Receiver::start(&answers).await;
    let db = open(dir.path());
    let sender =
        Sender::new(Endpoint { max_samples_per_send: 7, capacity: 20, ..endpoint(&url) }, sources(), None);
    let sender = Arc::new(sender);
    let mut shards = Shards::start(&sender, 3);
    let mut time = 1;
    for count in [3, 8, 1, 5, 2] {
        for _ in 0..20 {
            let value = streamflow_tsdb::Value::Float(time as f64);
            let sample = streamflow_tsdb::Sample::new(time, value);
            let piece = sender.pieces.begin(30, db.position());
            let items: Vec<_> = (0..30).map(|at| (labels("a", at), Item::Sample(sample.clone()))).collect();
            shards.put(items, &piece).await.unwrap();
            time += 1;
        }
        shards.resize(&sender, count).await.unwrap();
        assert_eq!(shards.count(), count);
        assert!(sender.pieces.done().is_some(), "queues are empty before others are opened");
    }
    assert_in_order(&receiver.samples(), 30, time);
    assert!(sender.status().samples_retried > 0);
    assert_eq!(sender.status().samples_sent, 30 * 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_send_a_log_and_restarts_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[503, 500, 503, 503]).await;
    let shards = || Endpoint {
        max_samples_per_send: 10,
        min_shards: 4,
        max_shards: 6,
        capacity: 40,
        reshard_every: Duration::from_millis(5),
        ..endpoint(&url)
    };
    let mut written = 1;
    for round in 1..=4 {
        let db = open(dir.path());
        let sender = Running::start(&db, dir.path(), shards());
        write(&db, "a", 25, written..written + 40);
        written += 40;
        let enough = if round == 4 { 25 * 40 } else { 100 };
        sender.wait("some are sent", |status| status.samples_sent >= enough).await;
        if round == 4 {
            eventually("all have arrived", async || {
                let samples = receiver.samples();
                let last = |found: &Vec<(i64, u64)>| found.iter().any(|(time, _)| *time == written - 1);
                if samples.len() == 25 && samples.values().all(last) {
                    Ok(())
                } else {
                    Err(format!("{samples:?}"))
                }
            })
            .await;
            let status = sender.status();
            assert!((4..=6).contains(&status.shards) && status.shards_min == 4, "{status:?}");
        }
        sender.stop().await;
        db.close().unwrap();
    }
    // What was sent and not confirmed comes again after a restart, in its order: what is new is never before what is old.
    for (labels, found) in receiver.samples() {
        let mut newest = 0;
        for (time, _) in &found {
            assert!(*time <= newest + 1, "{labels}: {time} behind {newest}");
            newest = newest.max(*time);
        }
        assert_eq!(newest, written - 1, "{labels}");
    }
    assert_eq!(receiver.samples().len(), 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_exemplars_are_sent_in_version_1() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[]).await;
    let db = open(dir.path());
    let sources = sources();
    let endpoint = Endpoint {
        send_exemplars: true,
        metadata_every: Some(Duration::from_millis(10)),
        max_metadata_per_send: 1,
        ..endpoint(&url)
    };
    let sender = Running::start_with(&db, dir.path(), endpoint, sources.clone());
    write(&db, "a", 1, 1..2);
    sender.wait("the sample is sent", |status| status.samples_sent == 1).await;
    let exemplar =
        crate::exemplars::Exemplar { labels: Labels::new([("trace", "x")]), value: 0.5, timestamp_ms: 3 };
    assert!(sources.exemplars.add(&labels("a", 0), exemplar));
    sender.wait("the exemplar is sent", |status| status.exemplars_sent == 1).await;
    sender.wait("families are told", |status| status.metadata_sent >= 2).await;
    assert_eq!(*receiver.exemplars.lock().unwrap(), [(labels("a", 0), 0.5)]);
    let told: BTreeMap<String, (i32, String)> = receiver
        .metadata
        .lock()
        .unwrap()
        .iter()
        .map(|family| (family.metric_family_name.clone(), (family.kind, family.help.clone())))
        .collect();
    let expected = [("a", (1, "Texts.")), ("b", (2, "Others."))];
    assert_eq!(told, expected.map(|(name, (kind, help))| (name.to_owned(), (kind, help.to_owned()))).into());
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_2_carries_metadata_exemplars_and_starts_beside_the_samples() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[]).await;
    let db = open(dir.path());
    let message = streamflow_prometheus_yml::WriteMessage::V2;
    let sources = sources();
    let endpoint = Endpoint { message, send_exemplars: true, ..endpoint(&url) };
    let sender = Running::start_with(&db, dir.path(), endpoint, sources.clone());
    let mut batch = db.batch();
    let value = streamflow_tsdb::Value::Float(5.0);
    batch
        .add_sample(&labels("a_total", 0), streamflow_tsdb::Sample { timestamp: 20, start: 7, value })
        .unwrap();
    batch.commit().unwrap();
    sender.wait("the sample is sent", |status| status.samples_sent == 1).await;
    let exemplar =
        crate::exemplars::Exemplar { labels: Labels::new([("trace", "x")]), value: 0.5, timestamp_ms: 3 };
    assert!(sources.exemplars.add(&labels("a_total", 0), exemplar));
    sender.wait("the exemplar is sent", |status| status.exemplars_sent == 1).await;
    let whole = receiver.whole.lock().unwrap().clone();
    let with_sample = whole.iter().find(|request| !request.timeseries[0].samples.is_empty()).unwrap();
    let series = &with_sample.timeseries[0];
    assert_eq!((series.samples[0].start_timestamp, series.created_timestamp), (7, 7));
    let metadata = series.metadata.unwrap();
    let text = |place: u32| with_sample.symbols[place as usize].as_str();
    assert_eq!((metadata.kind, text(metadata.help_ref), text(metadata.unit_ref)), (1, "Texts.", ""));
    assert!(whole.iter().any(|request| request.timeseries.iter().any(|series| series.exemplars.len() == 1)));
    sender.stop().await;
}
