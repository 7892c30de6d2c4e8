//! Limits log lines about clients to as many as a person reads, however often a client repeats its mistake.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// This many lines are logged within `WINDOW` …
const BURST: u32 = 5;
/// … and then none until this time has passed since the first of them.
const WINDOW: Duration = Duration::from_secs(10);
/// As much foreign text as fits on one line of a terminal.
const SHOWN: usize = 200;

/// Counts the log_limit of one kind.
#[derive(Default)]
pub struct LogLimit(Mutex<State>);

#[derive(Default)]
struct State {
    since: Option<Instant>,
    logged: u32,
    suppressed: u64,
}

impl LogLimit {
    /// Returns `Some` if the next line may be logged, with the number of lines that were suppressed since the last one.
    pub fn allow(&self) -> Option<u64> {
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

/// Returns a client's text in a form that is safe to log: control characters are escaped, and a long text is cut.
pub fn printable(text: &str) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN {
            shown.push('…');
            break;
        }
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_lines_are_logged_in_ten_seconds_and_the_others_are_counted() {
        let log_limit = LogLimit::default();
        let logged = (0..1_000).filter_map(|_| log_limit.allow()).count();
        assert_eq!(logged, BURST as usize);
        tokio::time::advance(WINDOW).await;
        assert_eq!(log_limit.allow(), Some(1_000 - u64::from(BURST)));
        assert_eq!(log_limit.allow(), Some(0));
    }

    #[test]
    fn text_of_a_client_is_escaped_and_cut() {
        let shown = printable(&format!("\u{1b}[31m{}", "x".repeat(10_000)));
        assert!(shown.starts_with(r"\u{1b}[31mx") && shown.ends_with("x…"), "{shown}");
        assert!(shown.chars().count() <= SHOWN + 6, "{shown}");
        assert_eq!(printable(r#"group "größe" \ it's"#), r#"group "größe" \ it's"#);
    }
}
