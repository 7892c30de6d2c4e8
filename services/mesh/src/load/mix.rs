//! How orders are paid: with one token, or several in proportion.

use std::str::FromStr;

use proto::limits::PAYMENT_TOKEN;
use rand::Rng;

/// Tokens with their weights; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mix(Vec<(String, u32)>);

impl Mix {
    pub(crate) fn only(token: &str) -> Self {
        Self(vec![(token.to_owned(), 1)])
    }

    pub(super) fn pick(&self) -> &str {
        let sum: u32 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut at = rand::rng().random_range(0..sum.max(1));
        for (token, weight) in &self.0 {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return token,
            }
        }
        &self.0[0].0
    }
}

/// Parses a payment token on the command line, with the gateway's own rules.
pub(super) fn token(text: &str) -> Result<String, String> {
    if PAYMENT_TOKEN.allows(text) {
        return Ok(text.to_owned());
    }
    let expected = PAYMENT_TOKEN.expected;
    Err(format!(
        "expected {expected}: tok_ok, tok_declined, tok_slow, tok_flaky, tok_down or tok_lost"
    ))
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "expected tokens with weights, as tok_ok=95,tok_declined=5; a token is tok_ and 1 to 64 of a-z, 0-9 and _".to_owned()
        };
        let part = |part: &str| {
            let (token, weight) = part.split_once('=')?;
            let weight =
                weight.trim().parse().ok().filter(|weight| (1..=1_000_000).contains(weight))?;
            Some((self::token(token.trim()).ok()?, weight))
        };
        let parts: Option<Vec<_>> = text.split(',').map(part).collect();
        parts.map(Self).ok_or_else(expected)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn tokens_are_picked_in_proportion() {
        let mix: Mix = "tok_ok=3, tok_declined=1".parse().unwrap();
        let mut counts = HashMap::<_, u32>::new();
        for _ in 0..4000 {
            *counts.entry(mix.pick()).or_default() += 1;
        }
        assert!(counts["tok_ok"] > 2700 && counts["tok_declined"] > 700, "{counts:?}");
        assert_eq!(Mix::only("tok_ok").pick(), "tok_ok");
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        for bad in ["", "tok_ok", "tok_ok=0", "=1", "tok_ok=1,", "tok_ok=x", "foo=1", "tok_=1"] {
            assert!(bad.parse::<Mix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_gateway_would_refuse_is_no_token() {
        for good in ["tok_ok", "tok_42", "tok_no_such"] {
            assert_eq!(token(good).as_deref(), Ok(good));
        }
        for bad in ["foo", "", "tok_", "tok_OK", "tok_\x1b[2J", &format!("tok_{}", "x".repeat(65))]
        {
            assert!(token(bad).unwrap_err().contains("expected tok_"), "{bad}");
        }
    }
}
