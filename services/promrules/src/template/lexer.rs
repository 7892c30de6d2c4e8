//! The text of a template → pieces of text, and actions as tokens.

use super::value::Value;

/// A part of a template.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// What is copied.
    Text(String),
    /// What stands between `{{` and `}}`.
    Action(Vec<Token>),
}

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `.`
    Dot,
    /// `.name`; `glued` if it follows what it is a field of without a space.
    Field { name: String, glued: bool },
    /// `$name`, or `$` alone.
    Variable(String),
    /// A keyword or the name of a function.
    Word(String),
    /// A number or a string.
    Literal(Value),
    /// One of `|`, `(`, `)`, `,`, `:=`, `=`.
    Symbol(&'static str),
}

const SYMBOLS: [&str; 6] = [":=", "|", "(", ")", ",", "="];

/// The white space that a trim marker removes and that separates tokens.
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// Splits a template into its pieces.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut rest, mut pieces, mut is_trimmed) = (text, Vec::new(), false);
    while !rest.is_empty() {
        let (before, action) = rest.split_once("{{").map_or((rest, None), |(a, b)| (a, Some(b)));
        let mut copied = if is_trimmed { before.trim_start_matches(SPACES) } else { before };
        let trimmed = action.and_then(|action| action.strip_prefix('-'));
        let trimmed = trimmed.filter(|inner| inner.starts_with(SPACES));
        if trimmed.is_some() {
            copied = copied.trim_end_matches(SPACES);
        }
        if !copied.is_empty() {
            pieces.push(Piece::Text(copied.to_owned()));
        }
        let Some(action) = trimmed.or(action) else { break };
        let mut lexer = Lexer { rest: action, tokens: Vec::new() };
        is_trimmed = lexer.action()?;
        if !lexer.tokens.is_empty() {
            pieces.push(Piece::Action(lexer.tokens));
        }
        rest = lexer.rest;
    }
    Ok(pieces)
}

struct Lexer<'a> {
    rest: &'a str,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Reads one action and its end; whether the end has a trim marker.
    fn action(&mut self) -> Result<bool, String> {
        let spaced = self.rest.trim_start_matches(SPACES);
        if let Some(comment) = spaced.strip_prefix("/*") {
            let (_, rest) = comment.split_once("*/").ok_or("a comment has no end")?;
            self.rest = rest;
            return self.end().ok_or_else(|| "a comment must be the whole action".to_owned());
        }
        loop {
            if let Some(is_trimmed) = self.end() {
                return if self.tokens.is_empty() {
                    Err("an action is empty".to_owned())
                } else {
                    Ok(is_trimmed)
                };
            }
            let before = self.rest.len();
            self.rest = self.rest.trim_start_matches(SPACES);
            let glued = before == self.rest.len() && !self.tokens.is_empty();
            if self.rest.is_empty() {
                return Err("an action has no end: }} is missing".to_owned());
            }
            let token = self.token(glued)?;
            self.tokens.push(token);
        }
    }

    fn end(&mut self) -> Option<bool> {
        let spaced = self.rest.trim_start_matches(SPACES);
        let is_spaced = spaced.len() < self.rest.len();
        let (rest, is_trimmed) = match spaced.strip_prefix("-}}") {
            Some(rest) if is_spaced => (rest, true),
            _ => (spaced.strip_prefix("}}")?, false),
        };
        self.rest = rest;
        Some(is_trimmed)
    }

    fn token(&mut self, glued: bool) -> Result<Token, String> {
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest.starts_with(**symbol)) {
            self.rest = &self.rest[symbol.len()..];
            return Ok(Token::Symbol(symbol));
        }
        let first = self.rest.chars().next().unwrap_or_default();
        match first {
            '"' => self.quoted(),
            '`' => {
                let (raw, rest) = self.rest[1..].split_once('`').ok_or("a string has no end")?;
                self.rest = rest;
                Ok(Token::Literal(raw.into()))
            }
            '$' => {
                self.rest = &self.rest[1..];
                Ok(Token::Variable(self.word()))
            }
            '.' if !self.rest[1..].starts_with(|letter: char| letter.is_ascii_digit()) => {
                self.rest = &self.rest[1..];
                let name = self.word();
                Ok(if name.is_empty() { Token::Dot } else { Token::Field { name, glued } })
            }
            '+' | '-' | '.' | '0'..='9' => self.number(),
            _ if is_word(first) => Ok(Token::Word(self.word())),
            _ => Err(format!("unexpected {first:?}")),
        }
    }

    fn word(&mut self) -> String {
        let end = self.rest.find(|letter| !is_word(letter)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn number(&mut self) -> Result<Token, String> {
        let is_exponent = |before: u8| matches!(before, b'e' | b'E');
        let bytes = self.rest.as_bytes();
        let belongs = |place: usize| match bytes[place] {
            b'.' | b'_' => true,
            b'+' | b'-' => place == 0 || is_exponent(bytes[place - 1]),
            byte => byte.is_ascii_alphanumeric(),
        };
        let end = (0..bytes.len()).find(|place| !belongs(*place)).unwrap_or(bytes.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let digits = text.trim_start_matches(['+', '-']);
        let is_octal =
            digits.len() > 1 && digits.starts_with('0') && !digits.contains(['.', 'e', 'E']);
        if !is_octal && let Ok(number) = text.parse() {
            return Ok(Token::Literal(Value::Int(number)));
        }
        let is_decimal =
            !is_octal && digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
        match text.parse::<f64>() {
            Ok(number) if is_decimal && number.is_finite() => {
                Ok(Token::Literal(Value::Float(number)))
            }
            _ => Err(format!("number {text:?} is not supported; write it as 10 or 1.5e3")),
        }
    }

    fn quoted(&mut self) -> Result<Token, String> {
        let mut text = String::new();
        let mut letters = self.rest[1..].char_indices();
        while let Some((place, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &self.rest[place + 2..];
                    return Ok(Token::Literal(text.as_str().into()));
                }
                '\n' => return Err("a string in quotes contains a line break".to_owned()),
                '\\' => text.push(escaped(&mut letters)?),
                _ => text.push(letter),
            }
        }
        Err("a string has no end".to_owned())
    }
}

/// The character that an escape sequence of Go stands for.
fn escaped(letters: &mut std::str::CharIndices<'_>) -> Result<char, String> {
    let (_, kind) = letters.next().ok_or("a string has no end")?;
    let mut hexadecimal = |length: usize| {
        let digits: String = letters.by_ref().take(length).map(|(_, digit)| digit).collect();
        let number = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == length);
        number.and_then(char::from_u32).ok_or_else(|| format!("\\{kind}{digits} is no character"))
    };
    match kind {
        'a' => Ok('\u{7}'),
        'b' => Ok('\u{8}'),
        'f' => Ok('\u{c}'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'v' => Ok('\u{b}'),
        '\\' | '"' => Ok(kind),
        'u' => hexadecimal(4),
        'U' => hexadecimal(8),
        // A byte above 0x7f alone would not be UTF-8.
        'x' => hexadecimal(2).and_then(|letter| {
            if letter.is_ascii() {
                Ok(letter)
            } else {
                Err("\\x above 7f is not supported; use \\u".to_owned())
            }
        }),
        _ => Err(format!("unknown escape sequence \\{kind}")),
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
