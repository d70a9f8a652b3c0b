//! Answers from aggregates beside the answers that the samples behind them gave.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use streamflow_promql::{Answer, Engine, EngineOptions, Query, SourceResolution, StopReason, Value};
use streamflow_tsdb::{Db, Downsampling, Labels, Options, STALE_NAN};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Samples of so many hours, of which all but the last few are gone.
const HOURS: i64 = 12;

fn never() -> Option<StopReason> {
    None
}

/// How a series goes on.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A counter rises, or a gauge moves.
    By(f64),
    /// A counter begins anew.
    Reset(f64),
    /// Nothing is scraped for so many scrapes.
    Gap(u8),
    /// The series ends for so many scrapes.
    End(u8),
}

fn steps(is_counter: bool) -> impl Strategy<Value = Vec<Step>> {
    let by = if is_counter { (0..50_i32).boxed() } else { (-50..50_i32).boxed() };
    let reset = if is_counter { 1 } else { 0 };
    let step = prop_oneof![
        120 => by.prop_map(|by| Step::By(f64::from(by) / 4.0)),
        reset => (0..20_i32).prop_map(|to| Step::Reset(f64::from(to))),
        2 => (1..20_u8).prop_map(Step::Gap),
        1 => (1..60_u8).prop_map(Step::End),
    ];
    prop::collection::vec(step, 200..=((HOURS * HOUR / SCRAPE) as usize))
}

const SCRAPE: i64 = 40_000;

/// Samples every 40 s, the first `phase` behind the hour.
fn samples(steps: &[Step], phase: i64) -> Vec<(i64, f64)> {
    let (mut time, mut value, mut samples) = (phase, 100.0, Vec::new());
    for step in steps {
        match step {
            Step::By(by) => value += by,
            Step::Reset(to) => value = *to,
            Step::Gap(scrapes) => {
                time += SCRAPE * i64::from(*scrapes);
                continue;
            }
            Step::End(scrapes) => {
                samples.push((time, STALE_NAN));
                time += SCRAPE * i64::from(*scrapes);
                continue;
            }
        }
        samples.push((time, value));
        time += SCRAPE;
    }
    samples.retain(|(time, _)| *time <= HOURS * HOUR);
    samples
}

/// A store of the series `m` with all samples, and one in which those of all but the last hours are aggregates.
struct Stores {
    whole: Db,
    old: Db,
    _dir: tempfile::TempDir,
}

fn options() -> Options {
    Options {
        retention_ms: Some(3 * HOUR),
        downsampling: Downsampling { five_minutes_ms: Some(1000 * HOUR), one_hour_ms: Some(1000 * HOUR) },
        ..Options::default()
    }
}

fn stores(samples: &[(i64, f64)]) -> Stores {
    let dir = tempfile::tempdir().unwrap();
    let old = Db::open(dir.path(), options()).unwrap();
    let whole = Db::in_memory(Options::default());
    for db in [&old, &whole] {
        let mut batch = db.batch();
        let labels = Labels::new([("__name__", "m_total")]);
        for (time, value) in samples {
            batch.add(&labels, *time, *value).unwrap();
        }
        // Whatever this series does, time goes on.
        batch.add(&Labels::new([("__name__", "clock")]), HOURS * HOUR, 1.0).unwrap();
        batch.commit().unwrap();
    }
    old.maintain(HOURS * HOUR).unwrap();
    assert!(old.stats().aggregates.iter().all(|tier| tier.windows > 0), "nothing was aggregated");
    Stores { whole, old, _dir: dir }
}

fn answer(db: &Db, query: &str, resolution: SourceResolution, (start, end, step): (i64, i64, i64)) -> Answer {
    let options =
        EngineOptions { max_source_resolution: resolution, experimental: true, ..EngineOptions::default() };
    let engine = Engine::new(options);
    let grid = engine.grid(start, end, step as f64).unwrap();
    Query::parse(&engine, query).unwrap().range(&engine, db, grid, &never).unwrap()
}

/// Times and values of the one series there is.
fn points(answer: &Answer) -> Vec<(i64, f64)> {
    let Value::Matrix(series) = &answer.value else { panic!("{answer:?}") };
    series.first().map(|series| series.samples.iter().collect()).unwrap_or_default()
}

fn assert_same(query: &str, expected: &[(i64, f64)], found: &[(i64, f64)]) -> Result<(), TestCaseError> {
    let times = |points: &[(i64, f64)]| points.iter().map(|(time, _)| *time).collect::<Vec<_>>();
    prop_assert_eq!(times(found), times(expected), "{}", query);
    for ((time, found), (_, expected)) in found.iter().zip(expected) {
        let tolerance = 1e-9 * expected.abs().max(1.0);
        prop_assert!((found - expected).abs() <= tolerance, "{query} at {time}: {found} for {expected}");
    }
    Ok(())
}

/// Functions that are known from whole windows.
const KNOWN: &[&str] = &[
    "count_over_time",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "first_over_time",
    "last_over_time",
    "present_over_time",
    "absent_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "rate",
    "increase",
    "delta",
    "resets",
    "changes",
];

/// The resolutions with the length of their windows.
const RESOLUTIONS: [(SourceResolution, i64); 2] =
    [(SourceResolution::FiveMinutes, 5 * MINUTE), (SourceResolution::OneHour, HOUR)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn ranges_of_whole_windows_answer_what_samples_answered(
        steps in any::<bool>().prop_flat_map(steps),
        phase in prop_oneof![Just(0), 1..SCRAPE],
    ) {
        let samples = samples(&steps, phase);
        let stores = stores(&samples);
        for (resolution, window) in RESOLUTIONS {
            for range in ["1h", "3h"] {
                for function in KNOWN {
                    let query = format!("{function}(m_total[{range}])");
                    let times = (0, HOURS * HOUR, window);
                    let expected = points(&answer(&stores.whole, &query, resolution, times));
                    let found = answer(&stores.old, &query, resolution, times);
                    assert_same(&query, &expected, &points(&found))?;
                    prop_assert!(found.warnings.is_empty(), "{:?}", found.warnings);
                    let told = found.infos.iter().filter(|info| info.contains("aggregates of")).count();
                    prop_assert_eq!(told, 1, "{:?}", found.infos);
                }
            }
        }
    }

    /// At any time: of a window that reaches over a bound of the range the increase is not known, only that of the window.
    #[test]
    fn what_a_counter_rose_by_is_off_by_no_more_than_the_windows_at_the_bounds(
        steps in steps(true),
        phase in 0..SCRAPE,
        start in 0..HOUR,
    ) {
        let samples = samples(&steps, phase);
        let stores = stores(&samples);
        // The increase up to each sample.
        let mut total = Vec::with_capacity(samples.len());
        let (mut sum, mut last) = (0.0, None);
        for (time, value) in samples.iter().filter(|(_, value)| !value.is_nan()) {
            sum += match last {
                Some(last) if *value < last => *value,
                Some(last) => value - last,
                None => 0.0,
            };
            last = Some(*value);
            total.push((*time, sum));
        }
        let upto = |time: i64| {
            let next = total.partition_point(|(at, _)| *at <= time);
            next.checked_sub(1).map_or(0.0, |last| total[last].1)
        };
        for (resolution, window) in RESOLUTIONS {
            let times = (start, HOURS * HOUR, 7 * MINUTE);
            let ask = |db: &Db, function: &str| {
                points(&answer(db, &format!("{function}(m_total[2h])"), resolution, times))
            };
            let value_at = |points: &[(i64, f64)], time: i64| {
                points.iter().find(|(at, _)| *at == time).map_or(0.0, |(_, value)| *value)
            };
            let (expected, counted) = (ask(&stores.whole, "increase"), ask(&stores.whole, "count_over_time"));
            let counted_old = ask(&stores.old, "count_over_time");
            for (time, found) in ask(&stores.old, "increase") {
                let whole = value_at(&expected, time);
                let around = |bound: i64| upto(bound + window) - upto(bound - window);
                // Both reckon as much as 1.1 intervals at each bound that no sample is in.
                let beyond = |rise: f64, counted: &[(i64, f64)]| {
                    2.2 * rise / (value_at(counted, time) - 1.0).max(1.0)
                };
                let bound = around(time - 2 * HOUR) + around(time) + 1e-6
                    + beyond(whole, &counted) + beyond(found, &counted_old);
                prop_assert!((found - whole).abs() <= bound, "{found} for {whole} at {time}, bound {bound}");
            }
        }
    }

    #[test]
    fn a_selector_gives_a_sample_of_the_window_and_does_not_end_between_windows(
        steps in any::<bool>().prop_flat_map(steps),
        phase in 0..SCRAPE,
        start in 0..HOUR,
    ) {
        let samples = samples(&steps, phase);
        let stores = stores(&samples);
        let times = (start, HOURS * HOUR, 3 * MINUTE);
        for (resolution, window) in RESOLUTIONS {
            let expected = points(&answer(&stores.whole, "m_total", resolution, times));
            let found = points(&answer(&stores.old, "m_total", resolution, times));
            let when = points(&answer(&stores.old, "timestamp(m_total)", resolution, times));
            for (time, _) in &expected {
                prop_assert!(found.iter().any(|(at, _)| at == time), "nothing at {time} of windows of {window}");
            }
            for ((time, value), (_, of)) in found.iter().zip(&when) {
                let of = (of * 1000.0).round() as i64;
                prop_assert!(samples.contains(&(of, *value)), "{value} at {of} is a sample");
                prop_assert!(of <= *time && time - of < window + 5 * MINUTE, "{of} is old at {time}");
            }
        }
    }
}

/// A counter, a sample every 40 s.
fn counter() -> Vec<(i64, f64)> {
    samples(&[Step::By(2.0); (HOURS * HOUR / SCRAPE) as usize], 10_000)
}

#[test]
fn functions_that_are_not_known_answer_from_one_value_a_window_and_say_so() {
    let stores = stores(&counter());
    let times = (6 * HOUR, 6 * HOUR, 1);
    for function in [
        "stddev_over_time(m_total[6h])",
        "quantile_over_time(0.5, m_total[6h])",
        "deriv(m_total[6h])",
        "irate(m_total[6h])",
    ] {
        let found = answer(&stores.old, function, SourceResolution::OneHour, times);
        assert_eq!(points(&found).len(), 1, "{function}");
        let name = function.split('(').next().unwrap();
        let expected = format!(
            "PromQL warning: {name} is not known from aggregates: of samples that are gone it saw the last of each 1h"
        );
        assert!(
            found.warnings.len() == 1 && found.warnings[0].starts_with(&expected),
            "{:?}",
            found.warnings
        );
        assert!(found.infos.iter().any(|info| info.contains("aggregates of 1h")), "{:?}", found.infos);
    }
    let median = points(&answer(
        &stores.old,
        "quantile_over_time(0.5, m_total[6h])",
        SourceResolution::OneHour,
        times,
    ));
    let last = |hour: i64| {
        counter().iter().filter(|(time, _)| *time <= hour * HOUR).map(|(_, value)| *value).next_back()
    };
    assert_eq!(median[0].1, f64::midpoint(last(3).unwrap(), last(4).unwrap()));
}

#[test]
fn the_resolution_goes_by_the_step_and_may_be_bounded() {
    let stores = stores(&counter());
    let check = |query: &str, resolution, step: i64, expected: &[&str]| {
        let found = answer(&stores.old, query, resolution, (HOUR, 6 * HOUR, step));
        let named = ["5m", "1h"]
            .into_iter()
            .filter(|name| found.infos.iter().any(|info| info.contains(&format!("aggregates of {name} "))));
        assert_eq!(
            named.collect::<Vec<_>>(),
            expected,
            "{query} by {resolution:?} and {step}: {:?}",
            found.infos
        );
        found
    };
    use SourceResolution::{Auto, FiveMinutes, OneHour, Raw};
    check("m_total", Auto, MINUTE, &["5m"]);
    check("m_total", Auto, HOUR, &["1h"]);
    check("rate(m_total[5m])", Auto, HOUR, &["5m"]);
    check("rate(m_total[1h])", Auto, HOUR, &["1h"]);
    check("rate(m_total[1d])", Auto, MINUTE, &["1h"]);
    check("m_total", OneHour, MINUTE, &["1h"]);
    check("m_total", FiveMinutes, HOUR, &["5m"]);
    assert!(points(&check("m_total", Raw, HOUR, &[])).is_empty());
    // Where there are samples, they are read, whatever is asked for.
    let newest = (HOURS * HOUR - HOUR, HOURS * HOUR, MINUTE);
    for resolution in [Auto, OneHour] {
        let found = answer(&stores.old, "m_total", resolution, newest);
        assert_eq!(points(&found), points(&answer(&stores.whole, "m_total", Raw, newest)));
        assert_eq!(found.infos, [""; 0]);
    }
}

#[test]
fn a_range_vector_of_what_is_gone_has_samples_of_each_window() {
    let stores = stores(&counter());
    let engine = Engine::default();
    let query = Query::parse(&engine, "m_total[1h]").unwrap();
    let answer = query.instant(&engine, &stores.old, 4 * HOUR, &never).unwrap();
    let (found, all) = (points(&answer), counter());
    assert_eq!(found.len(), 24, "the first and the last sample of 12 windows");
    assert!(found.iter().all(|sample| all.contains(sample)));
    assert!(answer.infos[0].contains("aggregates of 5m"), "{:?}", answer.infos);
}

#[test]
fn native_histograms_answer_from_the_ends_of_windows() {
    use std::sync::Arc;
    use streamflow_histogram::{Buckets, Histogram};
    let dir = tempfile::tempdir().unwrap();
    let old = Db::open(dir.path(), options()).unwrap();
    let whole = Db::in_memory(Options::default());
    for db in [&old, &whole] {
        let mut batch = db.batch();
        let labels = Labels::new([("__name__", "h")]);
        for step in 1..=HOURS * HOUR / MINUTE {
            // Reset at an odd minute of the second hour.
            let count = if step < 97 { step * 4 } else { (step - 96) * 4 } as f64;
            let positive = Buckets { indices: vec![0, 1], counts: vec![count / 4.0, count * 3.0 / 4.0] };
            let histogram =
                Histogram { schema: 1, count, sum: count * 2.0, positive, ..Histogram::default() };
            batch.add_histogram(&labels, step * MINUTE, Arc::new(histogram)).unwrap();
        }
        batch.commit().unwrap();
    }
    old.maintain(HOURS * HOUR).unwrap();
    let times = (HOUR, HOURS * HOUR, 7 * MINUTE);
    let one = SourceResolution::OneHour;
    let ask = |db: &Db, query: &str| answer(db, query, one, times);
    let count = |db: &Db| points(&ask(db, "histogram_count(h)")).len();
    assert_eq!(count(&old), count(&whole), "it is not stale in between");
    for query in ["histogram_count(increase(h[3h]))", "histogram_quantile(0.5, rate(h[3h]))"] {
        let (found, expected) = (ask(&old, query), points(&ask(&whole, query)));
        assert_eq!((points(&found).len(), &found.warnings), (expected.len(), &Vec::new()), "{query}");
        for ((time, found), (_, expected)) in points(&found).into_iter().zip(expected) {
            assert!((found - expected).abs() <= 0.02 * expected, "{query} at {time}: {found} for {expected}");
        }
    }
    let found = ask(&old, "histogram_count(sum_over_time(h[3h]))");
    let expected = "PromQL warning: sum_over_time is not known from aggregates";
    assert!(found.warnings.iter().any(|text| text.starts_with(expected)), "{:?}", found.warnings);
}
