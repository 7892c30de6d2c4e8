//! How orders are paid: one token, or several in proportion.

use std::str::FromStr;

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

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("{text:?} is no mix; expected tokens with weights, as tok_ok=95,tok_declined=5")
        };
        let part = |part: &str| {
            let (token, weight) = part.split_once('=')?;
            let weight =
                weight.trim().parse().ok().filter(|weight| (1..=1_000_000).contains(weight))?;
            Some((token.trim().to_owned(), weight)).filter(|(token, _)| !token.is_empty())
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
        for bad in ["", "tok_ok", "tok_ok=0", "=1", "tok_ok=1,", "tok_ok=x"] {
            assert!(bad.parse::<Mix>().is_err(), "{bad}");
        }
    }
}
