//! How far a stream has sent an order's history.

/// The last revision that was sent to the watcher; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told(u32);

/// How a live message relates to what the watcher already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The watcher has it: it is a duplicate, or the order that was read already contained it.
    Old,
    /// It is the next revision.
    Next,
    /// A revision before it was missed: live messages are lost while no subscriber listens, on purpose.
    Gap,
}

impl Told {
    /// The revision in `Last-Event-ID`; 0 if it is missing, unreadable or beyond `revision`, so that all statuses are sent.
    pub(crate) fn of(last_event_id: Option<&str>, revision: u32) -> Self {
        let last = last_event_id.and_then(|id| id.trim().parse().ok()).unwrap_or(0);
        Self(if last <= revision { last } else { 0 })
    }

    pub(crate) fn judge(self, revision: u32) -> News {
        match revision {
            old if old <= self.0 => News::Old,
            next if next == self.0 + 1 => News::Next,
            _ => News::Gap,
        }
    }

    pub(crate) fn advance(&mut self, revision: u32) {
        self.0 = self.0.max(revision);
    }

    pub(crate) fn has(self, revision: u32) -> bool {
        revision <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_old_next_or_beyond_a_gap() {
        let mut told = Told::default();
        told.advance(2);
        assert_eq!(
            [1, 2, 3, 4].map(|revision| told.judge(revision)),
            [News::Old, News::Old, News::Next, News::Gap]
        );
    }

    #[test]
    fn a_browser_goes_on_where_it_was() {
        assert_eq!(Told::of(Some("2"), 3), Told(2));
        assert_eq!(Told::of(None, 3), Told(0));
    }

    #[test]
    fn what_cannot_be_the_last_one_is_not_believed() {
        for strange in ["", "x", "-1", "4", "99999999999999999999"] {
            assert_eq!(Told::of(Some(strange), 3), Told(0), "{strange}");
        }
    }
}
