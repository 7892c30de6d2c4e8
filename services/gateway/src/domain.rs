//! What the gateway decides by itself: which messages of an order are new to the client of a live stream. Pure: no clock, no I/O.

/// The last revision of an order that was sent on a live stream; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor(u32);

/// How a revision relates to a [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// It was sent already, from another message or from the order's history.
    Duplicate,
    /// It follows the last one that was sent.
    Next,
    /// A revision before it is missing: live messages are not stored, so those sent without a subscriber are lost.
    Gap,
}

impl Cursor {
    /// The revision in `Last-Event-ID`. It is 0, so that all statuses are sent, if the header is missing or unreadable or names
    /// a revision that the order does not have.
    pub(crate) fn new(last_event_id: Option<&str>, revision: u32) -> Self {
        let last = last_event_id.and_then(|id| id.trim().parse().ok()).unwrap_or(0);
        Self(if last <= revision { last } else { 0 })
    }

    pub(crate) fn compare(self, revision: u32) -> Revision {
        match revision {
            sent if sent <= self.0 => Revision::Duplicate,
            next if next == self.0 + 1 => Revision::Next,
            _ => Revision::Gap,
        }
    }

    pub(crate) fn advance(&mut self, revision: u32) {
        self.0 = self.0.max(revision);
    }

    pub(crate) fn has_sent(self, revision: u32) -> bool {
        revision <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_a_duplicate_or_next_or_after_a_gap() {
        let mut cursor = Cursor::default();
        cursor.advance(2);
        assert_eq!(
            [1, 2, 3, 4].map(|revision| cursor.compare(revision)),
            [Revision::Duplicate, Revision::Duplicate, Revision::Next, Revision::Gap]
        );
    }

    #[test]
    fn a_browser_that_reconnects_continues_after_its_last_event() {
        assert_eq!(Cursor::new(Some("2"), 3), Cursor(2));
        assert_eq!(Cursor::new(None, 3), Cursor(0));
    }

    #[test]
    fn a_last_event_id_that_the_order_does_not_have_is_ignored() {
        for bad in ["", "x", "-1", "4", "99999999999999999999"] {
            assert_eq!(Cursor::new(Some(bad), 3), Cursor(0), "{bad}");
        }
    }
}
