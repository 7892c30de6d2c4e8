//! Where the patterns of Go differ from those of this crate's library.

use regex::{Regex, RegexBuilder};

/// Compiles a pattern that needs no more than a megabyte.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(1 << 20).build()
}

/// Escapes braces that are no repetition: Go's syntax takes `{x}` literally, this crate's one refuses it.
pub(crate) fn escape_braces(pattern: &str) -> String {
    let mut escaped = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(place) = rest.find(['\\', '{']) {
        escaped.push_str(&rest[..place]);
        rest = &rest[place..];
        let (head, after) = match rest.strip_prefix('\\') {
            Some(escape) => rest.split_at(1 + escape.chars().next().map_or(0, char::len_utf8)),
            None => rest.split_at(1),
        };
        if head == "{" && repetition(rest).is_none() {
            escaped.push('\\');
        }
        escaped.push_str(head);
        rest = after;
    }
    escaped + rest
}

/// Whether a repetition is repeated, as in `a**`: Go refuses that.
pub(crate) fn repeats_repetition(pattern: &str) -> bool {
    let (mut rest, mut repeated) = (pattern, false);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\\' => escape(rest),
            '[' => class(rest),
            '(' if rest.starts_with("(?") => 2,
            _ => repetition(rest).unwrap_or(0),
        };
        let repeats = length > 0 && matches!(first, '*' | '+' | '?' | '{');
        if repeats && repeated {
            return true;
        }
        repeated = repeats;
        rest = &rest[length.max(first.len_utf8())..];
    }
    false
}

/// The length of the repetition with which a text begins: `*`, `+`, `?`, `{2}`, `{2,}` or `{2,3}`, and `?` behind any of them.
fn repetition(text: &str) -> Option<usize> {
    let operator = match text.strip_prefix('{') {
        Some(text) => {
            let (inside, _) = text.split_once('}')?;
            let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if least.is_empty() || !digits(least) || !digits(most) {
                return None;
            }
            inside.len() + 2
        }
        None => usize::from(text.starts_with(['*', '+', '?'])),
    };
    let reluctant = text[operator..].starts_with('?');
    (operator > 0).then_some(operator + usize::from(reluctant))
}

/// The length of an escaped character, such as `\.`, `\x{1F600}` or `\p{Greek}`.
fn escape(text: &str) -> usize {
    let named = ["\\x{", "\\p{", "\\P{"].iter().any(|start| text.starts_with(start));
    match text.find('}') {
        Some(end) if named => end + 1,
        _ => 1 + text[1..].chars().next().map_or(0, char::len_utf8),
    }
}

/// The length of a class, such as `[^]a-z[:digit:]]`. A bracket that is its first character does not end it.
fn class(text: &str) -> usize {
    let mut place = if text.starts_with("[^") { 2 } else { 1 };
    let first = place;
    while let Some(next) = text[place..].chars().next() {
        place += match next {
            ']' if place > first => return place + 1,
            '\\' => escape(&text[place..]),
            '[' if text[place..].starts_with("[:") => {
                text[place..].find(":]").map_or(1, |end| end + 2)
            }
            next => next.len_utf8(),
        };
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_that_repeat_nothing_are_escaped() {
        assert_eq!(escape_braces("a{b}c{1}\\{d{2,}e{,3}"), "a\\{b}c{1}\\{d{2,}e\\{,3}");
    }

    #[test]
    fn a_repeated_repetition_is_found() {
        for pattern in ["a**", ".*+", "a{2}{3}", "a??*", "(a)+{2}", "ü*?*"] {
            assert!(repeats_repetition(pattern), "{pattern}");
        }
        for pattern in [
            "",
            "a*b*",
            "a*?",
            "a{2}?",
            "(?i)a+",
            "(?:a*)*",
            "[*+]*",
            "[]*]+",
            "\\**",
            "a{x}*",
            "\\x{1f}*",
            "[[:alpha:]*]+",
            "[\\]*]?",
            "\\p{Greek}+",
            "[",
            "\\",
            "[^]**]",
        ] {
            assert!(!repeats_repetition(pattern), "{pattern}");
        }
    }
}
