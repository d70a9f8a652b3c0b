//! The standard `process_*` metrics.

use prometheus::core::Collector as _;
use prometheus::process_collector::ProcessCollector;
use streamflow_exposition::Writer;

/// Writes the `process_*` metrics of this process.
pub fn render_process(process: &ProcessCollector, text: &mut Writer) {
    for family in process.collect() {
        // The collector counts whole seconds, too coarse for the rate of an idle server.
        match (family.name() == "process_cpu_seconds_total").then(cpu_seconds).flatten() {
            Some(seconds) => text.counter(family.name(), family.help(), seconds),
            None => text.family(&family, None),
        }
    }
}

/// User and system time of this process.
fn cpu_seconds() -> Option<f64> {
    parse_cpu_seconds(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Fields 14 and 15 of `/proc/PID/stat`, which counts in hundredths of a second on every Linux.
fn parse_cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
    let after_name = stat.rsplit_once(") ")?.1;
    let mut fields = after_name.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_time_is_read_in_hundredths() {
        for (stat, expected) in [
            ("7 (a) b) c) S 1 7 7 0 -1 4194304 101 0 0 0 250 31 0 0 20 0 1 0 99 1 1", Some(2.81)),
            ("7 (short) S 1 7", None),
            ("", None),
        ] {
            assert_eq!(parse_cpu_seconds(stat), expected, "{stat}");
        }
        assert!(cpu_seconds().is_some());
    }
}
