//! One `updates` message, put together from updates that were serialized once for all WebSockets.

/// The updates of one message.
#[derive(Default)]
pub(super) struct Batch {
    text: String,
    updates: u64,
}

impl Batch {
    /// Adds an update for some subscriptions, whose ids need no escapes; none if there are no subscriptions.
    pub(super) fn add(&mut self, ids: &[&str], fields: &str) {
        if ids.is_empty() {
            return;
        }
        self.text.push_str(if self.updates == 0 {
            "{\"type\":\"updates\",\"updates\":["
        } else {
            ","
        });
        self.text.push_str("{\"ids\":[");
        for (index, id) in ids.iter().enumerate() {
            self.text.push_str(if index == 0 { "\"" } else { ",\"" });
            self.text.push_str(id);
            self.text.push('"');
        }
        self.text.push_str("],");
        self.text.push_str(fields);
        self.text.push('}');
        self.updates += 1;
    }

    /// The length of the message so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The message and the number of its updates; `None` without updates.
    pub(super) fn finish(mut self) -> Option<(String, u64)> {
        if self.updates == 0 {
            return None;
        }
        self.text.push_str("]}");
        Some((self.text, self.updates))
    }
}
