//! The standard `process_*` metrics, as Linux tells them of this process; elsewhere there are none.

use std::fs;

use streamflow_exposition::Writer;

/// The unit of times in `/proc`, which is a hundredth of a second on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Writes the `process_*` metrics of this process.
pub fn render_process(text: &mut Writer) {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (stat, status) = (read("/proc/self/stat"), read("/proc/self/status"));
    if let Some(ticks) = ticks(&stat) {
        let help = "Total user and system CPU time spent in seconds.";
        text.counter("process_cpu_seconds_total", help, (ticks.user + ticks.system) / TICKS_PER_SECOND);
    }
    let boot = number_after(&read("/proc/stat"), "btime ");
    let started =
        ticks(&stat).zip(boot).map(|(ticks, boot)| boot + (ticks.started / TICKS_PER_SECOND).floor());
    let open_files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    let max_files = number_after(&read("/proc/self/limits"), "Max open files");
    let kibibytes = |key| number_after(&status, key).map(|kibibytes| kibibytes * 1024.0);
    for (name, help, value) in [
        ("process_open_fds", "Number of open file descriptors.", open_files),
        ("process_max_fds", "Maximum number of open file descriptors.", max_files),
        ("process_virtual_memory_bytes", "Virtual memory size in bytes.", kibibytes("VmSize:")),
        ("process_resident_memory_bytes", "Resident memory size in bytes.", kibibytes("VmRSS:")),
        ("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", started),
        ("process_threads", "Number of OS threads in the process.", number_after(&status, "Threads:")),
    ] {
        if let Some(value) = value {
            text.gauge(name, help, &[], value);
        }
    }
}

/// Times of a process in `/proc/PID/stat`; the start is after the machine's.
#[derive(Debug, PartialEq)]
struct Ticks {
    user: f64,
    system: f64,
    started: f64,
}

/// Fields 14, 15 and 22 of `/proc/PID/stat`.
fn ticks(stat: &str) -> Option<Ticks> {
    // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
    let after_name = stat.rsplit_once(") ")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let field = |number: usize| fields.get(number - 3)?.parse().ok();
    Some(Ticks { user: field(14)?, system: field(15)?, started: field(22)? })
}

/// The first number behind `key` on the first line that begins with it.
fn number_after(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        for (stat, expected) in [
            (
                "7 (a) b) c) S 1 7 7 0 -1 4194304 101 0 0 0 250 31 0 0 20 0 1 0 99 1 1",
                Some([250.0, 31.0, 99.0]),
            ),
            ("7 (short) S 1 7", None),
            ("", None),
        ] {
            let found = ticks(stat).map(|ticks| [ticks.user, ticks.system, ticks.started]);
            assert_eq!(found, expected, "{stat}");
        }
    }

    #[test]
    fn numbers_are_found_behind_their_key() {
        let limits =
            "Max cpu time  unlimited unlimited seconds\nMax open files            1024  4096  files\n";
        assert_eq!(number_after(limits, "Max open files"), Some(1024.0));
        assert_eq!(number_after(limits, "Max cpu time"), None);
        assert_eq!(number_after("", "Threads:"), None);
    }

    #[test]
    fn this_process_has_all_seven() {
        let mut text = Writer::new(streamflow_exposition::Format::Text);
        render_process(&mut text);
        let text = text.finish();
        let value =
            |name: &str| number_after(&text, &format!("{name} ")).unwrap_or_else(|| panic!("{name}\n{text}"));
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") <= value("process_max_fds"));
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_threads") >= 1.0);
        let age = jiff::Timestamp::now().as_second() as f64 - value("process_start_time_seconds");
        assert!((-2.0..3600.0).contains(&age), "started {age} s ago");
    }
}
