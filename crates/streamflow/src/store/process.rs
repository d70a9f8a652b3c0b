//! Which process this is, in words that another process on the same machine can look up.

use std::fs;

/// This process: machine, boot, process id and start, separated by blanks; none where the system does not tell.
pub fn own() -> Option<String> {
    Some(format!("{} {}", here()?, of(std::process::id())?))
}

/// True when the process that called itself so ran on this machine and is there no more. Of another machine, or where the
/// system does not tell, nothing is known.
pub fn is_gone(process: &str) -> bool {
    let mut words = process.split(' ');
    let (Some(machine), Some(boot)) = (words.next(), words.next()) else { return false };
    let (Some(pid), Some(start)) = (words.next(), words.next()) else { return false };
    let Some(here) = here() else { return false };
    let Some((this_machine, this_boot)) = here.split_once(' ') else { return false };
    let alive = || pid.parse().ok().and_then(of).is_some_and(|found| found == format!("{pid} {start}"));
    machine == this_machine && (boot != this_boot || !alive())
}

/// The machine and its boot.
fn here() -> Option<String> {
    let word = |path| {
        fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Some(format!(
        "{} {}",
        word("/etc/machine-id").or_else(|| word("/proc/sys/kernel/hostname"))?,
        word("/proc/sys/kernel/random/boot_id")?
    ))
}

/// A process and when it was started, in ticks since the boot: a number is given to other processes later.
fn of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, blanks and parentheses too.
    let start = stat.rsplit_once(") ")?.1.split(' ').nth(19)?;
    Some(format!("{pid} {start}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_machine_can_be_gone() {
        let own = own().unwrap();
        assert!(!is_gone(&own));
        let words: Vec<&str> = own.split(' ').collect();
        let [machine, boot, pid, start] = words[..] else { panic!("{own}") };
        for (process, expected) in [
            (format!("{machine} {boot} {pid} 1"), true),
            (format!("{machine} {boot} 4194305 {start}"), true),
            (format!("{machine} an-earlier-boot {pid} {start}"), true),
            (format!("another-machine {boot} {pid} {start}"), false),
            ("nonsense".to_owned(), false),
        ] {
            assert_eq!(is_gone(&process), expected, "{process}");
        }
    }
}
