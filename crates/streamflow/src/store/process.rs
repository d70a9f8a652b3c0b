//! Which process this is, in words that another process on the same machine can look up.

use std::fs;

/// This process: machine, boot, process id and start, separated by blanks; none where the system does not tell.
pub fn own() -> Option<String> {
    Some(format!("{} {}", here()?, of(std::process::id())?))
}

/// What is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Alive,
    /// It ran on this machine and is there no more.
    Gone,
    /// It runs on another machine, or the system does not tell.
    Elsewhere,
}

/// What became of the process that called itself so.
pub fn fate(process: &str) -> Fate {
    let mut words = process.split(' ');
    let (Some(machine), Some(boot)) = (words.next(), words.next()) else { return Fate::Elsewhere };
    let (Some(pid), Some(start)) = (words.next(), words.next()) else { return Fate::Elsewhere };
    let Some(here) = here() else { return Fate::Elsewhere };
    let Some((this_machine, this_boot)) = here.split_once(' ') else { return Fate::Elsewhere };
    let is_there = || pid.parse().ok().and_then(of).is_some_and(|found| found == format!("{pid} {start}"));
    match machine == this_machine {
        false => Fate::Elsewhere,
        true if boot == this_boot && is_there() => Fate::Alive,
        true => Fate::Gone,
    }
}

/// Whether a process of this machine is stopped, by a signal or a debugger: it lives and does nothing.
pub fn is_stopped(process: &str) -> bool {
    let stat = process.split(' ').nth(2).and_then(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    let state = stat.as_ref().and_then(|stat| stat.rsplit_once(") ")).map(|(_, rest)| rest);
    state.is_some_and(|state| state.starts_with(['T', 't']))
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
        let words: Vec<&str> = own.split(' ').collect();
        let [machine, boot, pid, start] = words[..] else { panic!("{own}") };
        for (process, expected) in [
            (own.clone(), Fate::Alive),
            (format!("{machine} {boot} {pid} 1"), Fate::Gone),
            (format!("{machine} {boot} 4194305 {start}"), Fate::Gone),
            (format!("{machine} an-earlier-boot {pid} {start}"), Fate::Gone),
            (format!("another-machine {boot} {pid} {start}"), Fate::Elsewhere),
            ("nonsense".to_owned(), Fate::Elsewhere),
        ] {
            assert_eq!(fate(&process), expected, "{process}");
        }
    }
}
