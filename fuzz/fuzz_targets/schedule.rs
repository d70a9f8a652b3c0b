//! Any text as a schedule: an error that names it, or times that rise and that are each handled once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_schedule::{Catchup, Policy, ScheduleText, plan};

fuzz_target!(|input: (&str, &str, &str, i32, u32)| {
    let (when, zone, anchor, after_s, passed_s) = input;
    let some = |text: &str| Some(text.to_owned());
    let zone = if zone.is_empty() { some("Europe/Paris") } else { some(zone) };
    let after = jiff::Timestamp::from_second(after_s.into()).expect("32 bits are within the calendar");
    let now = jiff::Timestamp::from_second(i64::from(after_s) + i64::from(passed_s)).expect("so are twice as many");
    let texts = [
        ScheduleText { cron: some(when), zone: zone.clone(), ..ScheduleText::default() },
        ScheduleText { every: some(when), zone: zone.clone(), ..ScheduleText::default() },
        ScheduleText { every: some(when), anchor: some(anchor), zone: zone.clone(), ..ScheduleText::default() },
        ScheduleText { at: some(when), zone, ..ScheduleText::default() },
    ];
    for text in texts {
        let schedule = match text.parse() {
            Ok(schedule) => schedule,
            Err(error) => {
                assert!(error.to_string().contains(" = \""), "{error}");
                continue;
            }
        };
        assert!(!schedule.describe().is_empty());
        let times = schedule.times_between(after, jiff::Timestamp::MAX, 50);
        assert_eq!(times.first().copied(), schedule.next_after(after));
        assert!(times.first().is_none_or(|first| *first > after) && times.is_sorted_by(|a, b| a < b));

        let policy = Policy { catchup: Catchup::All, start_deadline: None };
        let due = plan(&schedule, &policy, Some(after), now);
        let handled = due.run.iter().chain(due.skipped.iter().map(|(time, _)| time));
        assert!(handled.copied().all(|time| after < time && time <= now));
        let again = plan(&schedule, &policy, due.last_handled().or(Some(after)), now);
        assert!(again.run.is_empty() && again.skipped.is_empty() && again.next == due.next);
    }
});
