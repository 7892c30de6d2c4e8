//! A process's memory: its proportional set size, in which each page that several processes share counts once in sum.

/// The proportional set size in bytes; `None` if there is no such process, or it belongs to another user.
pub(super) fn of(pid: u32) -> Option<u64> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

fn parse(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proportional_size_is_found_among_the_others() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:    9000 kB\nPss:            4321 kB\nPss_Dirty:   100 kB\n";
        assert_eq!(parse(rollup), Some(4321 * 1024));
        assert_eq!(parse("Rss: 1 kB"), None);
    }

    #[test]
    fn our_own_is_not_nothing() {
        assert!(of(std::process::id()).is_some_and(|bytes| bytes > 100_000));
    }
}
