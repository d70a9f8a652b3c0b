//! The promise of the live verdict, shortened: few false alarms, changes seen within minutes. The whole simulation is
//! `cargo run --release -p streamflow-live --example simulate`; docs/statistics.md has its table.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../examples/simulate/world.rs"]
mod world;

use world::{Change, Random, delay, false_alarms};

#[test]
fn a_week_without_change_is_quiet() {
    let mut random = Random(1);
    for rate in [0.1, 1.0] {
        // Half an alarm a month is expected at most.
        let alarms = false_alarms(rate, 0.0, 1, 3, &mut random);
        assert_eq!(alarms, 0, "{rate} requests a second");
    }
}

#[test]
fn half_a_standard_deviation_is_seen_within_a_quarter_of_an_hour_at_ten_a_second() {
    let mut random = Random(2);
    let change = Change { shift: 0.5, scale: 1.0 };
    let delays: Vec<_> = (0..8).map(|_| delay(10.0, 0.0, change, 60, &mut random)).collect();
    assert!(delays.iter().all(|delay| delay.is_some_and(|minutes| minutes <= 15)), "{delays:?}");
    let wider = Change { shift: 0.0, scale: 1.5 };
    assert!(delay(10.0, 0.0, wider, 60, &mut random).is_some_and(|minutes| minutes <= 15));
}

#[test]
fn a_daily_swing_is_no_drift_after_a_week_and_a_change_within_it_is_seen() {
    let mut random = Random(3);
    assert_eq!(false_alarms(1.0, 0.2, 8, 1, &mut random), 0);
    let change = Change { shift: 0.5, scale: 1.0 };
    assert!(delay(1.0, 0.2, change, 60, &mut random).is_some_and(|minutes| minutes <= 15));
}
