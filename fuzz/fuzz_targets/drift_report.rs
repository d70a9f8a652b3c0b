//! A drift report or a history with any of its JSON changed: an error, or something that is shown in every form.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use streamflow_drift::{Column, DriftSettings, History, Report, RuleSet, compare};
use streamflow_fuzz::Damage;

static REPORTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let rules = [RuleSet::Calibrated, RuleSet::Evidently];
    rules.map(|profile| report(&DriftSettings { profile, ..DriftSettings::default() }).to_json()).to_vec()
});

static HISTORY: LazyLock<String> =
    LazyLock::new(|| History::new(&[report(&DriftSettings::default())]).expect("a report").to_json());

fn report(settings: &DriftSettings) -> Report {
    let hours = |shift: f64| Column::float("hours", (0..60).map(|i| f64::from(i % 7) + shift).collect());
    let plans = |first: usize| {
        let plans: Vec<_> = (0..60).map(|i| Some(if i < first { "basic" } else { "<b>plus</b>" })).collect();
        Column::text("plan", &plans)
    };
    let [reference, current] = [(0.0, 30), (9.0, 31)].map(|(shift, first)| [hours(shift), plans(first)]);
    compare(&reference, &current, settings).expect("tables of two columns")
}

fn show(report: &Report) {
    let _ = (report.to_html(), report.to_markdown(), report.to_evidently_json());
    let written = report.to_json();
    let read = Report::from_json(&written).expect("what was written");
    assert_eq!(read.to_json(), written);
}

fn show_history(history: &History) {
    let _ = (history.to_html(), history.to_markdown());
    let written = history.to_json();
    let read = History::from_json(&written).expect("what was written");
    assert_eq!(read.to_json(), written);
}

fuzz_target!(|input: (u8, Damage)| {
    let (which, damage) = input;
    let json = REPORTS.get(usize::from(which) % 3).unwrap_or_else(|| &HISTORY);
    let Ok(text) = String::from_utf8(damage.of(json.as_bytes())) else { return };
    if let Ok(report) = Report::from_json(&text) {
        show(&report);
        if let Ok(history) = History::new(&[report]) {
            show_history(&history);
        }
    }
    if let Ok(history) = History::from_json(&text) {
        show_history(&history);
    }
});
