//! Checks of a text before it is parsed: the parser is recursive in parts, and panics at some numbers.

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

/// Seconds as a number: the parser panics if they are negative, infinite or too many.
fn check_duration(text: &str) -> Result<(), Error> {
    let seconds = promql_parser::util::parse_str_radix(text).map_err(Error::Parse)?;
    if (0.0..=MAX_DURATION_MS as f64 / 1000.0).contains(&seconds) {
        return Ok(());
    }
    Err(Error::Parse(format!("duration out of range: {text}")))
}
