//! Limits log lines about what clients do to as many as a person reads, however often a client tries again.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// This many lines are logged within `WINDOW` …
const BURST: u32 = 5;
/// … and then none until this time has passed since the first of them.
const WINDOW: Duration = Duration::from_secs(10);
/// As much foreign text as fits on one line of a terminal.
const SHOWN: usize = 200;

/// Counts the complaints of one kind.
#[derive(Default)]
pub(super) struct Complaints(Mutex<State>);

#[derive(Default)]
struct State {
    since: Option<Instant>,
    logged: u32,
    suppressed: u64,
}

impl Complaints {
    /// Returns `Some` if the next complaint is to be logged, with the number of those suppressed since the last one that was
    /// logged.
    pub(super) fn next(&self) -> Option<u64> {
        let mut state = self.0.lock();
        if state.since.is_none_or(|since| since.elapsed() >= WINDOW) {
            (state.since, state.logged) = (Some(Instant::now()), 0);
        }
        if state.logged >= BURST {
            state.suppressed += 1;
            return None;
        }
        state.logged += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

/// Text from a client, such as a name or an error that repeats it, in a form that is safe to log.
pub(super) fn foreign(text: &str) -> String {
    chassis::text::printable(text, SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_some_complaints_are_logged_and_the_others_are_counted() {
        let complaints = Complaints::default();
        let logged = (0..1_000).filter_map(|_| complaints.next()).count();
        assert_eq!(logged, BURST as usize);
        tokio::time::advance(WINDOW).await;
        assert_eq!(complaints.next(), Some(1_000 - u64::from(BURST)));
        assert_eq!(complaints.next(), Some(0));
    }

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        let shown = foreign(&format!("\u{1b}[31m{}", "x".repeat(10_000)));
        assert!(!shown.contains('\u{1b}') && shown.chars().count() <= SHOWN + 1, "{shown}");
    }
}
