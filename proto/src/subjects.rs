//! NATS subjects: each pattern with the type of its messages.

use std::{fmt, marker::PhantomData};

use crate::notifications::v1::LiveUpdate;

/// What happens to one customer's orders, for whoever listens right now.
pub const LIVE_ORDERS: Subject<LiveUpdate> = Subject::new("live.orders.{customer}.{order}");

/// A family of subjects that differ in their parameters, and the type of their messages.
pub struct Subject<M> {
    /// The pattern with `{parameter}` tokens: a span's `messaging.destination.template`.
    pub template: &'static str,
    message: PhantomData<fn() -> M>,
}

impl<M> Clone for Subject<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Subject<M> {}

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

impl<M> Subject<M> {
    const fn new(template: &'static str) -> Self {
        Self { template, message: PhantomData }
    }

    /// The subject with its `{parameter}` tokens filled in, in order; surplus values are left out.
    ///
    /// # Errors
    /// A value that is empty or too long, or has a dot, a wildcard, white space or a control character: it would address other
    /// subjects than meant, or end the connection.
    pub fn with(&self, values: &[&str]) -> Result<String, BadToken> {
        let mut values = values.iter();
        let mut subject = String::with_capacity(self.template.len() + 64);
        for token in self.template.split('.') {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_filled_in_order() {
        assert_eq!(LIVE_ORDERS.with(&["ada", "7"]).unwrap(), "live.orders.ada.7");
    }

    #[test]
    fn a_subject_over_the_control_line_limit_is_refused() {
        let long = "x".repeat(100_000);
        let refused = LIVE_ORDERS.with(&[&long, "7"]).unwrap_err();
        assert!(refused.to_string().len() < 400);
        assert!(LIVE_ORDERS.with(&[&"x".repeat(LONGEST_TOKEN), "7"]).is_ok());
    }

    #[test]
    fn a_value_with_wildcards_or_dots_is_refused() {
        for bad in ["", "*", ">", "a.b", "a b", "a\0b"] {
            assert_eq!(LIVE_ORDERS.with(&["ada", bad]), Err(BadToken(bad.into())));
        }
    }
}
