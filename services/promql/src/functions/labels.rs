//! Functions that rewrite labels, compiled once for a call.

use std::sync::Arc;

use regex::{Captures, Regex};

use crate::{Error, Labels, functions::pattern};

/// `label_replace(…, target, replacement, source, pattern)`.
#[derive(Clone, Debug)]
pub(crate) struct Replace {
    target: Arc<str>,
    replacement: Vec<Piece>,
    source: String,
    pattern: Regex,
}

impl Replace {
    /// Compiles the pattern.
    ///
    /// # Errors
    /// [`Error::Execution`] if the pattern or the label's name is invalid.
    pub(crate) fn new(
        target: &str,
        replacement: &str,
        source: &str,
        pattern: &str,
    ) -> Result<Self, Error> {
        let Some(compiled) = anchored(pattern) else {
            let text = format!("invalid regular expression in label_replace(): {pattern}");
            return Err(Error::Execution(text));
        };
        check_name("destination", "label_replace", target)?;
        Ok(Self {
            target: target.into(),
            replacement: pieces(replacement),
            source: source.to_owned(),
            pattern: compiled,
        })
    }

    /// The rewritten labels; the same ones if the pattern does not match the whole value of the source.
    pub(crate) fn apply(&self, labels: &Labels) -> Labels {
        match self.pattern.captures(labels.get(&self.source)) {
            Some(captures) => with(labels, &self.target, &expand(&self.replacement, &captures)),
            None => labels.clone(),
        }
    }
}

/// `label_join(…, target, separator, sources…)`.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    target: Arc<str>,
    separator: String,
    sources: Vec<String>,
}

impl Join {
    /// Checks the names of the labels.
    ///
    /// # Errors
    /// [`Error::Execution`] if a label's name is invalid.
    pub(crate) fn new(target: &str, separator: &str, sources: &[&str]) -> Result<Self, Error> {
        sources.iter().try_for_each(|source| check_name("source", "label_join", source))?;
        check_name("destination", "label_join", target)?;
        let sources = sources.iter().map(|source| (*source).to_owned()).collect();
        Ok(Self { target: target.into(), separator: separator.to_owned(), sources })
    }

    /// The rewritten labels.
    pub(crate) fn apply(&self, labels: &Labels) -> Labels {
        let values: Vec<_> = self.sources.iter().map(|source| labels.get(source)).collect();
        with(labels, &self.target, &values.join(&self.separator))
    }
}

fn with(labels: &Labels, name: &Arc<str>, value: &str) -> Labels {
    let changed = (Arc::clone(name), Arc::from(value));
    Labels::new(labels.iter().cloned().chain([changed]))
}

/// Prometheus 3 allows any name but the empty one.
fn check_name(which: &str, function: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::Execution(format!(
            "invalid {which} label name in {function}(): {name}"
        )));
    }
    Ok(())
}

/// A pattern that matches the whole value, in which `.` also matches a line break.
fn anchored(pattern: &str) -> Option<Regex> {
    if pattern::repeats_repetition(pattern) {
        return None;
    }
    let anchored = |text: &str| pattern::compile(&format!("^(?s:{text})$")).ok();
    anchored(pattern).or_else(|| anchored(&pattern::escape_braces(pattern)))
}

/// A piece of a replacement.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Group(usize),
    Named(String),
}

/// Splits a replacement as Go does: `$1`, `$name` (as long as possible), `${1}`, `${name}`; `$$` is a dollar, and so is one before
/// anything else.
fn pieces(replacement: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some((text, after)) = rest.split_once('$') {
        pieces.push(Piece::Text(text.to_owned()));
        if let Some(after) = after.strip_prefix('$') {
            pieces.push(Piece::Text("$".to_owned()));
            rest = after;
        } else if let Some((name, after)) = reference(after) {
            pieces.push(group(name));
            rest = after;
        } else {
            pieces.push(Piece::Text("$".to_owned()));
            rest = after;
        }
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}

/// The name of the group to which a text after a dollar refers, and the text after it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let braced = text.strip_prefix('{');
    let inside = braced.unwrap_or(text);
    let end = inside.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(inside.len());
    let (name, after) = inside.split_at(end);
    let after = if braced.is_some() { after.strip_prefix('}')? } else { after };
    (!name.is_empty()).then_some((name, after))
}

/// Go does not take a number with leading zeros or nine digits as that of a group.
fn group(name: &str) -> Piece {
    let plain = name == "0" || !name.starts_with('0');
    let digits = name.len() < 9 && name.bytes().all(|byte| byte.is_ascii_digit());
    match name.parse() {
        Ok(number) if plain && digits => Piece::Group(number),
        _ => Piece::Named(name.to_owned()),
    }
}

fn expand(pieces: &[Piece], captures: &Captures<'_>) -> String {
    let mut value = String::new();
    for piece in pieces {
        let group = match piece {
            Piece::Text(text) => {
                value.push_str(text);
                continue;
            }
            Piece::Group(number) => captures.get(*number),
            Piece::Named(name) => captures.name(name),
        };
        value.push_str(group.map_or("", |group| group.as_str()));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(replacement: &str, pattern: &str) -> String {
        let labels = Labels::from([("__name__", "up"), ("source", "orders-7")]);
        let replace = Replace::new("target", replacement, "source", pattern).unwrap();
        replace.apply(&labels).get("target").to_owned()
    }

    #[test]
    fn groups_are_expanded_as_in_go() {
        for (replacement, value) in [
            ("$1", "orders"),
            ("$2 of $1", "7 of orders"),
            ("${1}x", "orders"),
            ("$1x", ""),
            ("$$1", "$1"),
            ("$", "$"),
            ("a$-b", "a$-b"),
            ("${1", "${1"),
            ("$01", ""),
            ("$9", ""),
            ("$n", "7"),
        ] {
            let expected = if replacement == "${1}x" { "ordersx" } else { value };
            assert_eq!(replaced(replacement, "(.*)-(?P<n>[0-9]+)"), expected, "{replacement}");
        }
    }

    #[test]
    fn a_pattern_must_match_the_whole_value() {
        assert_eq!(replaced("x", "orders"), "");
        assert_eq!(replaced("x", "orders.*"), "x");
        assert_eq!(replaced("x", "orders-7|other"), "x");
    }

    #[test]
    fn braces_that_repeat_nothing_are_literal() {
        let labels = Labels::from([("source", "a{b}c")]);
        let replace = Replace::new("target", "$1", "source", "a({b})c{1}").unwrap();
        assert_eq!(replace.apply(&labels).get("target"), "{b}");
    }

    #[test]
    fn an_empty_value_removes_the_label() {
        let labels = Labels::from([("source", "x"), ("target", "old")]);
        let replace = Replace::new("target", "", "source", "x").unwrap();
        assert_eq!(replace.apply(&labels), Labels::from([("source", "x")]));
    }

    #[test]
    fn a_join_of_missing_labels_has_only_separators() {
        let labels = Labels::from([("a", "1"), ("c", "3")]);
        let join = Join::new("target", "-", &["a", "b", "c"]).unwrap();
        assert_eq!(join.apply(&labels).get("target"), "1--3");
    }

    #[test]
    fn errors_name_what_is_invalid() {
        let text = |result: Result<Replace, Error>| result.unwrap_err().to_string();
        assert_eq!(
            text(Replace::new("a", "", "b", "(")),
            "invalid regular expression in label_replace(): ("
        );
        assert_eq!(
            text(Replace::new("", "", "b", "")),
            "invalid destination label name in label_replace(): "
        );
        assert_eq!(
            Join::new("a", "", &[""]).unwrap_err().to_string(),
            "invalid source label name in label_join(): "
        );
    }
}
