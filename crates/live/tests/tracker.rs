//! Whole days of rows through windows, blocks, alarms and the clock's faults.

#![allow(clippy::unwrap_used, missing_docs)]

use streamflow_live::{
    Basis, FeatureReference, Limits, Look, Minute, Mismatch, Reference, Status, Tracker, Value, Window,
    entity_hash,
};

const DAY: i64 = 1440;

/// A sequence in [0, 1) by its place.
fn uniform(at: u64) -> f64 {
    (entity_hash(5, &at.to_le_bytes()) >> 11) as f64 / (1_u64 << 53) as f64
}

fn reference() -> Reference {
    let hours = FeatureReference::numerical("hours", (0..7_000).map(|at| uniform(at + 1_000_000)).collect());
    let plan = FeatureReference::categorical("plan", [("monthly", 5_000), ("yearly", 2_000)], 0);
    let score = FeatureReference::numerical("score", (0..1_000).map(|at| uniform(at + 9_000_000)).collect());
    Reference::new(vec![hours, plan], vec![score])
}

fn tracker() -> Tracker {
    Tracker::new(reference(), &Limits::default())
}

/// A minute of so many users, whose hours are shifted.
fn minute(tracker: &Tracker, at: i64, users: u64, shift: f64) -> Minute {
    let mut open = tracker.reference().open_minute();
    for user in 0..users {
        let place = at.unsigned_abs() * 10_000 + user;
        let plan = if uniform(place + 77) < 5.0 / 7.0 { "monthly" } else { "yearly" };
        let values =
            [Value::Number(uniform(place) + shift), Value::Text(plan), Value::Number(uniform(place + 99))];
        let hash = entity_hash(1, &place.to_le_bytes());
        open.add(tracker.reference(), hash, (at * 60_000).unsigned_abs() + user, &values);
        open.count(Status::Answered);
    }
    open.close(at)
}

fn pass(tracker: &mut Tracker, minutes: std::ops::Range<i64>, users: u64, shift: f64) -> Option<Look> {
    let mut last = None;
    for at in minutes {
        let minute = minute(tracker, at, users, shift);
        tracker.add(minute).unwrap();
        last = Some(tracker.look(at));
    }
    last
}

#[test]
fn few_entities_are_not_judged_and_many_are() {
    let mut tracker = tracker();
    let look = pass(&mut tracker, 100..115, 13, 0.5).unwrap();
    let quarter = look.window(Window::QuarterHour);
    assert_eq!((quarter.entities, quarter.needed, quarter.requests), (195, 200, 195));
    assert!(!quarter.is_enough() && quarter.share(2).is_none());
    assert!(quarter.features.iter().all(|feature| feature.statistics.is_empty()));
    // The hour has more of them.
    let look = pass(&mut tracker, 115..116, 13, 0.5).unwrap();
    assert_eq!(look.window(Window::Hour).entities, 208);
    assert!(look.window(Window::Hour).features[0].is_detected());
    assert_eq!(look.window(Window::Hour).share(2), Some(0.5));
    assert_eq!(look.window(Window::Hour).basis, Basis::WarmingUp);
    assert_eq!(look.window(Window::Day).basis, Basis::Training);
}

#[test]
fn a_change_is_seen_held_and_resolved() {
    let mut tracker = tracker();
    let quiet = pass(&mut tracker, 0..60, 60, 0.0).unwrap();
    assert!(quiet.windows.iter().all(|window| window.features.iter().all(|feature| !feature.is_detected())));
    let changed = pass(&mut tracker, 60..75, 60, 0.2).unwrap();
    let since = changed.window(Window::QuarterHour).features[0].detected_since().unwrap();
    assert!((60..75).contains(&since), "{since}");
    assert!(!changed.window(Window::QuarterHour).features[1].is_detected());
    // Its alarms survive a restart, and end a quarter of an hour after the effect is gone.
    let mut again = Tracker::new(reference(), &Limits::default());
    let alarms = serde_json::to_string(tracker.alarms()).unwrap();
    again.resume(serde_json::from_str(&alarms).unwrap(), Some(0));
    for at in 40..75 {
        again.add(minute(&tracker, at, 60, if at < 60 { 0.0 } else { 0.2 })).unwrap();
    }
    let look = again.look(74);
    let quarter = look.window(Window::QuarterHour);
    assert_eq!(quarter.features, changed.window(Window::QuarterHour).features);
    let held = pass(&mut again, 75..95, 60, 0.0).unwrap();
    assert_eq!(held.window(Window::QuarterHour).features[0].detected_since(), Some(since));
    let resolved = pass(&mut again, 95..110, 60, 0.0).unwrap();
    assert!(!resolved.window(Window::QuarterHour).features[0].is_detected());
}

#[test]
fn from_the_eighth_day_on_a_daily_change_is_usual_and_the_day_is_held_against_training() {
    let mut tracker = tracker();
    let shift = |at: i64| if at.rem_euclid(DAY) < 720 { 0.2 } else { 0.0 };
    let mut looks = Vec::new();
    for at in 0..8 * DAY {
        let minute = minute(&tracker, at, 8, shift(at));
        tracker.add(minute).unwrap();
        // A look every two hours is enough, and quicker.
        if at % 120 == 119 {
            looks.push(tracker.look(at));
        }
    }
    let at = |minute: i64| &looks[(minute / 120) as usize];
    let [second_day, eighth_day] = [DAY + 600, 7 * DAY + 600].map(at);
    assert!(second_day.window(Window::SixHours).features[0].is_detected());
    let six = eighth_day.window(Window::SixHours);
    assert_eq!(six.basis, Basis::SameClockTime);
    assert!(!six.features[0].is_detected(), "{:?}", six.features[0]);
    assert_eq!(eighth_day.window(Window::Day).basis, Basis::Training);
    assert!(eighth_day.window(Window::Day).features[0].is_detected());
}

#[test]
fn an_entity_that_asks_in_every_minute_counts_once() {
    let mut tracker = tracker();
    for at in 0..15 {
        let mut again = minute(&tracker, 0, 50, 0.0);
        again.start = at;
        tracker.add(again).unwrap();
    }
    let quarter = &tracker.look(14).windows[0];
    assert_eq!((quarter.entities, quarter.requests), (50, 750));
    assert_eq!(quarter.features[0].live.iter().sum::<u64>(), 50);
}

#[test]
fn errors_are_held_against_the_days_before() {
    let mut tracker = tracker();
    let of = |tracker: &Tracker, at: i64, unknown: usize| {
        let mut open = tracker.reference().open_minute();
        (0..30 - unknown).for_each(|_| open.count(Status::Answered));
        (0..unknown).for_each(|_| open.count(Status::Unknown));
        for user in 0..30_u64 {
            let hash = entity_hash(1, &(at.unsigned_abs() * 100 + user).to_le_bytes());
            open.add(tracker.reference(), hash, 0, &[]);
        }
        open.close(at)
    };
    for at in 0..8 * DAY {
        tracker.add(of(&tracker, at, if at < 8 * DAY - 15 { 3 } else { 9 })).unwrap();
    }
    let before = tracker.look(8 * DAY - 16);
    let errors = &before.window(Window::QuarterHour).errors;
    assert!(errors.iter().all(|error| error.detected_since.is_none()), "{errors:?}");
    let quarter = tracker.look(8 * DAY - 1);
    let errors = &quarter.window(Window::QuarterHour).errors;
    assert_eq!(errors.iter().map(|error| error.kind).collect::<Vec<_>>(), ["unknown", "invalid"]);
    assert!((errors[0].share - 0.3).abs() < 1e-9 && (errors[0].before - 0.1).abs() < 0.01, "{errors:?}");
    assert!(errors[0].detected_since.is_some() && errors[1].detected_since.is_none());
}

#[test]
fn a_clock_that_jumps_costs_no_time_and_no_memory() {
    let mut tracker = tracker();
    pass(&mut tracker, 0..30, 60, 0.0);
    for now in [i64::MAX, 40, i64::MIN, 0, 30_000_000, 29_999_000] {
        let one = minute(&tracker, 3, 20, 0.0);
        tracker.add(Minute { start: now, ..one }).unwrap();
        let look = tracker.look(now);
        assert!(look.window(Window::QuarterHour).entities <= 20, "{now}");
        assert!(tracker.blocks().count() <= 4, "{now}");
    }
}

#[test]
fn a_minute_of_another_reference_is_refused() {
    let other = Reference::new(vec![FeatureReference::categorical("plan", [("a", 1)], 0)], vec![]);
    let error = tracker().add(other.open_minute().close(1)).unwrap_err();
    assert!(matches!(error, Mismatch::Classes { .. }), "{error}");
}

#[test]
fn a_forgotten_entity_is_in_no_window() {
    let mut tracker = tracker();
    pass(&mut tracker, 0..20, 30, 0.0);
    let hash = entity_hash(1, &(19_u64 * 10_000).to_le_bytes());
    assert_eq!(tracker.look(19).window(Window::Day).entities, 600);
    // In its minute and in its block.
    assert_eq!(tracker.forget(hash), 2);
    assert_eq!(
        tracker.look(19).windows.iter().map(|window| window.entities).collect::<Vec<_>>(),
        [449, 599, 599, 599]
    );
}

#[test]
fn a_row_of_another_version_has_features_and_no_outputs() {
    let mut tracker = tracker();
    // A third of the entities is another version's.
    for at in 0..15 {
        let mut open = tracker.reference().open_minute();
        for user in 0..60_u64 {
            let place = at * 10_000 + user;
            let values =
                [Value::Number(uniform(place)), Value::Text("monthly"), Value::Number(uniform(place + 99))];
            let values = if user % 3 == 0 { &values[..2] } else { &values[..] };
            open.add(tracker.reference(), entity_hash(1, &place.to_le_bytes()), place, values);
        }
        tracker.add(Minute::decode(&open.close(at.cast_signed()).encode()).unwrap()).unwrap();
    }
    let look = tracker.look(14);
    let quarter = look.window(Window::QuarterHour);
    let seen: Vec<u64> = quarter.features.iter().map(|feature| feature.live.iter().sum()).collect();
    assert_eq!((quarter.entities, seen), (900, vec![900, 900, 600]));
    assert_eq!(quarter.features[2].live.last(), Some(&0), "they are not missing");
    assert!(!quarter.features[2].is_detected(), "{:?}", quarter.features[2]);

    // An output that is known of few entities is not judged, as a window with few is not.
    let mut few = self::tracker();
    for at in 0..15_u64 {
        let mut open = few.reference().open_minute();
        for user in 0..60_u64 {
            let place = at * 10_000 + user;
            let values = [Value::Number(uniform(place)), Value::Text("monthly"), Value::Number(0.99)];
            let values = if user < 55 { &values[..2] } else { &values[..] };
            open.add(few.reference(), entity_hash(1, &place.to_le_bytes()), place, values);
        }
        few.add(open.close(at.cast_signed())).unwrap();
    }
    let look = few.look(14);
    let score = &look.window(Window::QuarterHour).features[2];
    assert_eq!((score.live.iter().sum::<u64>(), score.statistics.len()), (75, 0));
}
