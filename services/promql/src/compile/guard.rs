//! Checks of a text before it is parsed: the parser is recursive in parts, panics at some numbers, and refuses an offset of zero.

use std::borrow::Cow;

use lrpar::{Lexeme, Lexer, NonStreamingLexer};
use promql_parser::parser::token::{self, TokenId};

use crate::{Error, functions::pattern, plan::MAX_DURATION_MS};

/// Longer queries are refused.
const MAX_BYTES: usize = 16 * 1024;

/// More operators and opening parentheses or brackets are refused: no expression is nested deeper than this.
const MAX_NESTING: usize = 400;

/// More patterns are refused: each may take a megabyte while it is compiled.
const MAX_PATTERNS: usize = 64;

/// Checks a text.
///
/// # Errors
/// [`Error::Limit`] if the text is too long, too deeply nested, or has too many or too large patterns; [`Error::Parse`] if it has a duration that the parser cannot represent.
pub(super) fn check(text: &str) -> Result<(), Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::Limit(format!(
            "the query has {} bytes, {MAX_BYTES} are allowed: split it, for example by recording rules",
            text.len()
        )));
    }
    let lexer = promql_parser::parser::lexer(text).map_err(Error::Parse)?;
    let (mut nesting, mut patterns, mut before) = (0, 0, Before::Other);
    for lexeme in lexer.iter().flatten() {
        let (id, text) = (lexeme.tok_id(), lexer.span_str(lexeme.span()));
        nesting += usize::from(nests(id));
        patterns += usize::from(matches!(id, token::T_EQL_REGEX | token::T_NEQ_REGEX));
        patterns += usize::from(id == token::T_IDENTIFIER && text == "label_replace");
        before = match (id, before) {
            (token::T_SMOOTHED | token::T_ANCHORED, _) => {
                let text = "the modifiers `anchored` and `smoothed`, which are experimental in Prometheus,";
                return Err(Error::Unsupported(text.to_owned()));
            }
            (token::T_NUMBER, Before::Duration) => check_duration(text)?,
            (token::T_STRING, Before::Pattern) => check_pattern(text)?,
            (token::T_LEFT_BRACKET | token::T_COLON | token::T_OFFSET, _) => Before::Duration,
            (token::T_ADD | token::T_SUB, Before::Duration) => Before::Duration,
            (token::T_EQL_REGEX | token::T_NEQ_REGEX, _) => Before::Pattern,
            _ => Before::Other,
        };
    }
    check_count(nesting, MAX_NESTING, "operators and parentheses")?;
    check_count(patterns, MAX_PATTERNS, "patterns")
}

/// What the tokens before one announce.
#[derive(Clone, Copy)]
enum Before {
    Duration,
    Pattern,
    Other,
}

/// Whether a token may make the expression deeper.
fn nests(id: TokenId) -> bool {
    let operators = token::T_OPERATORS_START + 1..token::T_OPERATORS_END;
    let words = [token::T_LAND, token::T_LOR, token::T_LUNLESS, token::T_ATAN2];
    let opens = [token::T_LEFT_PAREN, token::T_LEFT_BRACKET];
    operators.contains(&id) || words.contains(&id) || opens.contains(&id)
}

fn check_count(count: usize, allowed: usize, what: &str) -> Result<(), Error> {
    if count <= allowed {
        return Ok(());
    }
    Err(Error::Limit(format!(
        "the query has {count} {what}, {allowed} are allowed: split it, for example by recording rules"
    )))
}

/// The parser compiles a pattern without a limit of its own.
fn check_pattern(quoted: &str) -> Result<Before, Error> {
    let pattern = promql_parser::util::unquote_string(quoted).map_err(Error::Parse)?;
    if pattern::repeats_repetition(&pattern) {
        return Err(Error::Parse(format!("the pattern {pattern} repeats a repetition")));
    }
    // Without repetitions and classes a pattern is compiled to little more than its text.
    if !pattern.contains(['{', '[', '\\']) {
        return Ok(Before::Other);
    }
    for variant in [&pattern, &pattern::escape_braces(&pattern)] {
        match pattern::compile(&format!("^(?:{variant})$")) {
            Ok(_) => break,
            Err(regex::Error::CompiledTooBig(bytes)) => {
                return Err(Error::Limit(format!(
                    "the pattern {pattern} needs more than {bytes} bytes: use a simpler one"
                )));
            }
            // The parser tries the other variant, too, before it refuses the pattern.
            Err(_) => {}
        }
    }
    Ok(Before::Other)
}

/// The text with blanks instead of `offset 0s` behind a selector: Prometheus accepts it, the parser does not.
pub(super) fn without_zero_offsets(text: &str) -> Cow<'_, str> {
    let mut blanked = Cow::Borrowed(text);
    let Ok(lexer) = promql_parser::parser::lexer(text) else { return blanked };
    let (mut before, mut offset) = (None, None);
    for lexeme in lexer.iter().flatten() {
        let (id, span) = (lexeme.tok_id(), lexeme.span());
        let is_zero = || match (id, lexer.span_str(span)) {
            (token::T_DURATION, text) => !text.contains(|c: char| matches!(c, '1'..='9')),
            (_, text) => promql_parser::util::parse_str_radix(text) == Ok(0.0),
        };
        match (id, offset) {
            (token::T_OFFSET, _) => {
                let selects = before != Some(token::T_RIGHT_PAREN);
                offset = selects.then_some(span.start());
            }
            (token::T_ADD | token::T_SUB, Some(_)) => {}
            (token::T_DURATION | token::T_NUMBER, Some(start)) if is_zero() => {
                let blank = " ".repeat(span.end() - start);
                blanked.to_mut().replace_range(start..span.end(), &blank);
                offset = None;
            }
            _ => offset = None,
        }
        before = Some(id);
    }
    blanked
}

/// Seconds as a number: the parser panics if they are negative, infinite or too many.
fn check_duration(text: &str) -> Result<Before, Error> {
    let seconds = promql_parser::util::parse_str_radix(text).map_err(Error::Parse)?;
    if (0.0..=MAX_DURATION_MS as f64 / 1000.0).contains(&seconds) {
        return Ok(Before::Other);
    }
    Err(Error::Parse(format!("duration out of range: {text}")))
}
