//! Checks of a text before it is parsed: the parser is recursive in parts, panics at some numbers, and refuses an offset of zero.

use std::borrow::Cow;

use lrpar::{Lexeme, Lexer, NonStreamingLexer};
use promql_parser::parser::token;

use crate::{Error, plan::MAX_DURATION_MS};

/// Longer queries are refused.
const MAX_BYTES: usize = 16 * 1024;

/// More operators and opening parentheses or brackets are refused: no expression is nested deeper than this.
const MAX_NESTING: usize = 400;

/// Checks a text.
///
/// # Errors
/// [`Error::Limit`] if the text is too long or too deeply nested, [`Error::Parse`] if it has a duration that the parser cannot represent.
pub(super) fn check(text: &str) -> Result<(), Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::Limit(format!(
            "the query has {} bytes, {MAX_BYTES} are allowed: split it, for example by recording rules",
            text.len()
        )));
    }
    let lexer = promql_parser::parser::lexer(text).map_err(Error::Parse)?;
    let (mut nesting, mut in_duration) = (0, false);
    for lexeme in lexer.iter().flatten() {
        let id = lexeme.tok_id();
        let opens = matches!(id, token::T_LEFT_PAREN | token::T_LEFT_BRACKET);
        let operates = id > token::T_OPERATORS_START && id < token::T_OPERATORS_END
            || matches!(id, token::T_LAND | token::T_LOR | token::T_LUNLESS | token::T_ATAN2);
        nesting += usize::from(opens || operates);
        match id {
            token::T_SMOOTHED | token::T_ANCHORED => {
                let text = "the modifiers `anchored` and `smoothed`, which are experimental in Prometheus,";
                return Err(Error::Unsupported(text.to_owned()));
            }
            token::T_LEFT_BRACKET | token::T_COLON | token::T_OFFSET => in_duration = true,
            token::T_ADD | token::T_SUB => {}
            token::T_NUMBER if in_duration => {
                check_duration(lexer.span_str(lexeme.span()))?;
                in_duration = false;
            }
            _ => in_duration = false,
        }
    }
    if nesting > MAX_NESTING {
        return Err(Error::Limit(format!(
            "the query has {nesting} operators and parentheses, {MAX_NESTING} are allowed: split it, for example by recording rules"
        )));
    }
    Ok(())
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
fn check_duration(text: &str) -> Result<(), Error> {
    let seconds = promql_parser::util::parse_str_radix(text).map_err(Error::Parse)?;
    if (0.0..=MAX_DURATION_MS as f64 / 1000.0).contains(&seconds) {
        return Ok(());
    }
    Err(Error::Parse(format!("duration out of range: {text}")))
}
