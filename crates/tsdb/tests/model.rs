//! Random operations with numbers and histograms, with and without start timestamps, on a store on disk and on a map, reopening, maintenance and samples out of order included.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use streamflow_histogram::{Buckets, Histogram};
use streamflow_tsdb::{
    AppendError, Db, Labels, MatchOp, Matcher, NO_START, Options, STALE_NAN, Sample, Samples, Value, verify,
};

const SERIES: usize = 5;
const RANGE: i64 = 1000;

#[derive(Debug, Clone)]
enum Operation {
    /// Series, milliseconds from the newest time, value.
    Batch(Vec<(usize, i64, u8)>),
    Forget(Vec<(usize, i64, u8)>),
    Maintain,
    Reopen,
    Snapshot,
    Select(usize, i64, i64),
    Delete(usize, i64, i64),
    Clean,
}

fn operation() -> impl Strategy<Value = Operation> {
    let sample = (0..SERIES, prop_oneof![4 => 0_i64..300, 1 => -1500_i64..0], 0_u8..7);
    let batch = proptest::collection::vec(sample, 0..20);
    prop_oneof![
        8 => batch.clone().prop_map(Operation::Batch),
        1 => batch.prop_map(Operation::Forget),
        2 => Just(Operation::Maintain),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Snapshot),
        3 => (0..SERIES, -4000_i64..100, 0_i64..4000).prop_map(|(s, from, length)| Operation::Select(s, from, length)),
        2 => (0..SERIES, -4000_i64..100, 0_i64..2000).prop_map(|(s, from, length)| Operation::Delete(s, from, length)),
        1 => Just(Operation::Clean),
    ]
}

fn labels(series: usize) -> Labels {
    Labels::new([
        ("__name__", "m"),
        ("series", &series.to_string()),
        ("even", if series.is_multiple_of(2) { "yes" } else { "" }),
    ])
}

fn value(code: u8) -> Value {
    let histogram = |schema: i32, buckets: &[(i32, f64)]| {
        let (indices, counts): (Vec<i32>, Vec<f64>) = buckets.iter().copied().unzip();
        let (count, positive) = (counts.iter().sum(), Buckets { indices, counts });
        Value::Histogram(Arc::new(Histogram { schema, count, positive, ..Histogram::default() }))
    };
    match code {
        0 => Value::Float(1.0),
        1 => Value::Float(0.5),
        2 => Value::Float(STALE_NAN),
        3 => Value::Float(f64::from_bits(0x7ff8_0000_0000_1234)),
        4 => histogram(0, &[(-1, 2.0), (7, 3.0)]),
        5 => histogram(0, &[(-1, 2.0), (0, 0.5), (7, 2.0)]),
        _ => histogram(3, &[]),
    }
}

/// Some samples have a start; which one, their values and times tell.
fn sample(t: i64, code: u8) -> Sample {
    let start = match code {
        0 => t - 9,
        1 => 17,
        4 => -3,
        _ => NO_START,
    };
    Sample { timestamp: t, start, value: value(code) }
}

/// What makes a value the same as another: its bits, or the histogram whatever is known of a reset before it.
fn held(value: &Value, start: i64) -> String {
    let value = match value {
        Value::Float(value) => value.to_bits().to_string(),
        Value::Histogram(histogram) => {
            let Histogram { schema, count, positive, .. } = &**histogram;
            format!("{schema} {count} {positive:?}")
        }
    };
    format!("{value} since {start}")
}

type Model = BTreeMap<(usize, i64), String>;

struct World {
    dir: tempfile::TempDir,
    db: Option<Db>,
    options: Options,
    model: Model,
    now: i64,
    copies: usize,
}

impl World {
    fn db(&self) -> &Db {
        self.db.as_ref().unwrap()
    }

    /// Adds the samples and returns those accepted.
    fn fill(&mut self, samples: &[(usize, i64, u8)], commit: bool) {
        let mut batch = self.db().batch();
        let mut accepted = Vec::new();
        let mut newest = self.now;
        for (series, offset, code) in samples {
            let sample = sample(self.now + offset, *code);
            let (t, v) = (sample.timestamp, sample.value.clone());
            let result = batch.add_sample(&labels(*series), sample.clone());
            let existing = self.model.get(&(*series, t)).cloned();
            match result {
                Ok(_) => accepted.push((*series, t, held(&v, sample.start), existing)),
                Err(AppendError::DuplicateTimestamp { .. }) => {
                    let before = existing.or_else(|| {
                        accepted.iter().find(|a| (a.0, a.1) == (*series, t)).map(|a| a.2.clone())
                    });
                    assert!(before.is_some_and(|before| before != held(&v, sample.start)));
                }
                Err(AppendError::OutOfOrder { newest, .. }) => assert!(t < newest),
                Err(AppendError::TooOld { oldest, .. }) => assert!(t < oldest),
                Err(error) => panic!("{error}"),
            }
            newest = newest.max(t);
        }
        if commit {
            let committed = batch.commit().unwrap();
            assert_eq!(committed.samples + committed.refused, accepted.len() as u64);
            for (series, t, bits, _) in accepted {
                // The first value of a time stays.
                self.model.entry((series, t)).or_insert(bits);
            }
            self.now = newest;
        }
    }

    fn check(&self, db: &Db, series: Option<usize>, min: i64, max: i64) {
        let matchers: Vec<Matcher> = series
            .map(|series| Matcher::new("series", MatchOp::Regex, format!("{series}|none")).unwrap())
            .into_iter()
            .chain([Matcher::new("even", MatchOp::Regex, "yes|").unwrap()])
            .collect();
        let mut samples = Samples::default();
        let mut found: Vec<(String, i64, String)> = Vec::new();
        let selected = db.select(&matchers, min, max).unwrap();
        assert!(selected.windows(2).all(|pair| pair[0].labels() < pair[1].labels()));
        for one in selected {
            one.read(&mut samples).unwrap();
            assert!(samples.timestamps.windows(2).all(|pair| pair[0] < pair[1]));
            let held = |sample: Sample| (sample.timestamp, held(&sample.value, sample.start));
            found.extend(samples.samples().map(held).map(|(t, held)| (one.labels().to_string(), t, held)));
        }
        let wanted = self.model.iter().filter(|((other, t), _)| {
            series.is_none_or(|series| series == *other) && (min..=max).contains(t)
        });
        let mut wanted: Vec<_> =
            wanted.map(|((series, t), bits)| (labels(*series).to_string(), *t, bits.clone())).collect();
        wanted.sort_by(|a: &(String, i64, String), b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        assert_eq!(found, wanted);
        assert_eq!(db.damage(), []);
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Batch(samples) => self.fill(&samples, true),
            Operation::Forget(samples) => self.fill(&samples, false),
            Operation::Maintain => drop(self.db().maintain(self.now).unwrap()),
            Operation::Reopen => {
                self.db = None;
                self.db = Some(Db::open(self.dir.path(), self.options.clone()).unwrap());
            }
            Operation::Snapshot => self.snapshot(),
            Operation::Delete(series, from, length) => {
                let (min, max) = (self.now + from, self.now + from + length);
                let one = Matcher::new("series", MatchOp::Equal, series.to_string()).unwrap();
                self.db().delete(&[vec![one]], min, max).unwrap();
                self.model.retain(|(other, t), _| *other != series || !(min..=max).contains(t));
                self.check(self.db(), None, i64::MIN, i64::MAX);
            }
            Operation::Clean => drop(self.db().clean_tombstones().unwrap()),
            Operation::Select(series, from, length) => {
                let min = self.now + from;
                self.check(self.db(), Some(series), min, min + length);
            }
        }
    }

    fn snapshot(&mut self) {
        self.copies += 1;
        let parent = tempfile::tempdir().unwrap();
        let to: &Path = &parent.path().join("copy");
        self.db().snapshot(to).unwrap();
        let copy = Db::open(to, self.options.clone()).unwrap();
        self.check(&copy, None, i64::MIN, i64::MAX);
    }
}

fn run(operations: Vec<Operation>, window: i64) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        block_duration_ms: RANGE,
        out_of_order_window_ms: window,
        samples_per_chunk: 7,
        segment_bytes: 64 << 10,
        ..Options::default()
    };
    let db = Some(Db::open(dir.path(), options.clone()).unwrap());
    let mut world = World { dir, db, options, model: Model::new(), now: 0, copies: 0 };
    for operation in operations {
        world.apply(operation);
    }
    world.check(world.db(), None, i64::MIN, i64::MAX);
    world.apply(Operation::Maintain);
    world.check(world.db(), None, i64::MIN, i64::MAX);
    world.apply(Operation::Reopen);
    world.check(world.db(), None, i64::MIN, i64::MAX);
    assert_eq!(verify(world.dir.path()).unwrap().damage, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn in_order(operations in proptest::collection::vec(operation(), 1..50)) {
        run(operations, 0);
    }

    /// Wider than what has gone to blocks, so that blocks overlap and are merged. The model has one more rule then: a
    /// sample behind the head is not compared with blocks, where the older one stays.
    #[test]
    fn out_of_order(operations in proptest::collection::vec(operation(), 1..50)) {
        run(operations, 2500);
    }
}
