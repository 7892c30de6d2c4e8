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

/// A parameter that cannot stand in a subject.
#[derive(Debug, PartialEq, Eq)]
pub struct BadToken(String);

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} cannot be a token of a subject: it is empty, or has one of \". * >\" or white space",
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
    /// A value that is empty or has a dot, a wildcard or white space: it would address other subjects than meant.
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
                || filled.contains(['.', '*', '>'])
                || filled.contains(char::is_whitespace)
            {
                return Err(BadToken(filled.to_owned()));
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
    fn a_value_cannot_widen_the_subject() {
        for bad in ["", "*", ">", "a.b", "a b"] {
            assert_eq!(LIVE_ORDERS.with(&["ada", bad]), Err(BadToken(bad.into())));
        }
    }
}
