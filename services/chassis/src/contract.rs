//! What the chassis must know of a contract to carry it: the topics of Kafka and their messages, and the subjects of NATS. The crate
//! with the contracts implements these traits.

use std::fmt;

pub use prost::Message;

/// What the name of a topic's dead-letter topic ends with.
pub const DEAD_LETTER_SUFFIX: &str = ".dlq";

/// A topic on Kafka.
pub trait Topic: 'static {
    /// The message in each of its records.
    type Envelope: Envelope<Topic = Self>;

    /// The name on the broker.
    const NAME: &'static str;

    /// Returns the key of a message's record. Events with the same key are handled in order.
    fn key(message: &Self::Envelope) -> &str;
}

/// The one message of a topic: it holds one event of several types.
pub trait Envelope: Message + Default + 'static {
    /// The topic that it is sent on.
    type Topic: Topic<Envelope = Self>;

    /// The CloudEvents `type` of every event that it can hold.
    const TYPES: &'static [&'static str];

    /// Returns the CloudEvents `type` of the event that it holds: the full protobuf name; `None` if this version does not know the
    /// event.
    fn event_type(&self) -> Option<&'static str>;

    /// Returns the record's key, which the topic chooses.
    fn key(&self) -> &str {
        Self::Topic::key(self)
    }
}

/// A family of NATS subjects that differ in their parameters.
pub trait Subject {
    /// The message that is sent to these subjects.
    type Message: Message + Default;

    /// The pattern with `{parameter}` tokens, which is a span's `messaging.destination.template`.
    const TEMPLATE: &'static str;

    /// Returns the subject with its `{parameter}` tokens filled in, in order. Surplus values are left out.
    ///
    /// # Errors
    /// A value is empty or too long, or has a dot, a wildcard, white space or a control character: it would address other subjects
    /// than meant, or end the connection.
    fn with(values: &[&str]) -> Result<String, BadToken> {
        let mut values = values.iter();
        let mut subject = String::with_capacity(Self::TEMPLATE.len() + 64);
        for token in Self::TEMPLATE.split('.') {
            if !subject.is_empty() {
                subject.push('.');
            }
            let filled =
                if token.starts_with('{') { values.next().copied().unwrap_or("") } else { token };
            if filled.is_empty()
                || filled.len() > LONGEST_TOKEN
                || filled.contains(['.', '*', '>'])
                || filled.contains(|letter: char| letter.is_whitespace() || letter.is_control())
            {
                return Err(BadToken(filled.chars().take(LONGEST_TOKEN).collect()));
            }
            subject.push_str(filled);
        }
        Ok(subject)
    }

    /// The pattern of all these subjects, for a subscriber: what begins as they do.
    fn all() -> String {
        let fixed = Self::TEMPLATE.split('.').take_while(|token| !token.starts_with('{'));
        fixed.chain([">"]).collect::<Vec<_>>().join(".")
    }
}

/// Longest token, in bytes. A NATS server closes the connection of a client whose subject is longer than its control line,
/// 4 KiB, and with it everything else that the client publishes and listens to.
const LONGEST_TOKEN: usize = 128;

/// A parameter that cannot stand in a subject; its first characters.
#[derive(Debug, PartialEq, Eq)]
pub struct BadToken(String);

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} cannot be a token of a subject: it is empty, longer than {LONGEST_TOKEN} bytes, or has one of \". * >\", \
             white space or control characters",
            self.0
        )
    }
}

impl std::error::Error for BadToken {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Live;

    impl Subject for Live {
        type Message = ();
        const TEMPLATE: &'static str = "live.orders.{customer}.{order}";
    }

    #[test]
    fn parameters_are_filled_in_order() {
        assert_eq!(Live::with(&["ada", "7"]).unwrap(), "live.orders.ada.7");
    }

    #[test]
    fn a_value_cannot_be_longer_than_a_server_takes() {
        let long = "x".repeat(100_000);
        let refused = Live::with(&[&long, "7"]).unwrap_err();
        assert!(refused.to_string().len() < 400);
        assert!(Live::with(&[&"x".repeat(LONGEST_TOKEN), "7"]).is_ok());
    }

    #[test]
    fn a_value_cannot_widen_the_subject() {
        for bad in ["", "*", ">", "a.b", "a b", "a\0b"] {
            assert_eq!(Live::with(&["ada", bad]), Err(BadToken(bad.into())));
        }
    }
}
