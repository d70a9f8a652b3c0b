//! Any text as a test script of PromQL: its series are loaded and its queries evaluated, and every case is counted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_promql::script;

fuzz_target!(|text: &str| {
    let report = script::run(text);
    let evaluated = report.passed + report.skipped;
    assert!(evaluated <= text.lines().count());
});
