//! Go's `printf`, with the verbs that templates use.

use super::{go, value::Value};

const VERBS: &str = "vsdfFeEgGtq%";

/// The maximum of width and precision: beyond it, a short template would fill the memory.
const MAX_WIDTH: usize = 1_000;

/// A verb with its flags.
#[derive(Default)]
struct Verb {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    verb: char,
}

/// Checks a format, which is usually a literal, before it is used.
pub(super) fn check(format: &str) -> Result<(), String> {
    let mut rest = format;
    while let Some((_, after)) = rest.split_once('%') {
        rest = Verb::read(after)?.1;
    }
    Ok(())
}

/// Formats values.
pub(super) fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let (mut rest, mut values, mut text) = (format, values.iter(), String::new());
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let (verb, after) = Verb::read(after)?;
        rest = after;
        match verb.verb {
            '%' => text.push('%'),
            letter => match values.next() {
                Some(value) => text.push_str(&verb.write(value)),
                None => text.push_str(&format!("%!{letter}(MISSING)")),
            },
        }
    }
    text.push_str(rest);
    let extra: Vec<_> = values.map(described).collect();
    if !extra.is_empty() {
        text.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(text)
}

/// As Go reports a value that does not fit.
fn described(value: &Value) -> String {
    match value {
        Value::Nil => "<nil>".to_owned(),
        value => format!("{}={value}", value.kind()),
    }
}

impl Verb {
    /// Reads what follows `%`, and returns the rest.
    fn read(text: &str) -> Result<(Self, &str), String> {
        let mut verb = Self::default();
        let mut rest = text;
        while let Some(flag) = rest.chars().next().filter(|flag| "-+ 0".contains(*flag)) {
            match flag {
                '-' => verb.left = true,
                '+' => verb.plus = true,
                ' ' => verb.space = true,
                _ => verb.zero = true,
            }
            rest = &rest[1..];
        }
        let width;
        (width, rest) = number(rest)?;
        verb.width = width.unwrap_or(0);
        if let Some(after) = rest.strip_prefix('.') {
            let precision;
            (precision, rest) = number(after)?;
            verb.precision = Some(precision.unwrap_or(0));
        }
        let letter = rest.chars().next().ok_or("printf: the format ends within a verb")?;
        if !VERBS.contains(letter) {
            return Err(format!(
                "printf: the verb %{letter} is not supported; expected one of {VERBS}"
            ));
        }
        verb.verb = letter;
        Ok((verb, &rest[1..]))
    }

    fn write(&self, value: &Value) -> String {
        let text = match (self.verb, value) {
            ('v' | 'd', Value::Int(number)) => self.signed(number.to_string()),
            ('v' | 'g' | 'G', Value::Float(number)) => self.float(*number, 'g', self.precision),
            ('f' | 'F' | 'e' | 'E', Value::Float(number)) => {
                self.float(*number, self.verb, self.precision.or(Some(6)))
            }
            ('t', Value::Bool(value)) => value.to_string(),
            ('q', Value::Text(text)) => format!("{text:?}"),
            ('v', Value::Nil) => "<nil>".to_owned(),
            ('s' | 'v', Value::Text(text)) => self.cut(text),
            ('v', other) => other.to_string(),
            ('s', Value::Labels(_)) => value.to_string(),
            (verb, other) => return format!("%!{verb}({})", described(other)),
        };
        self.padded(text, matches!(value, Value::Int(_) | Value::Float(_)))
    }

    fn float(&self, number: f64, verb: char, precision: Option<usize>) -> String {
        let text = self.signed(go::float(number, verb, precision));
        if self.verb.is_ascii_uppercase() && number.is_finite() {
            text.to_uppercase()
        } else {
            text
        }
    }

    fn signed(&self, text: String) -> String {
        if text.starts_with(['-', '+']) || !(self.plus || self.space) {
            text
        } else {
            format!("{}{text}", if self.plus { '+' } else { ' ' })
        }
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn padded(&self, text: String, is_number: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let is_finite = text.ends_with(|last: char| last.is_ascii_digit());
        if self.left {
            text + &" ".repeat(missing)
        } else if self.zero && is_number && is_finite {
            let digits = text.trim_start_matches(['-', '+', ' ']);
            let sign = &text[..text.len() - digits.len()];
            format!("{sign}{}{digits}", "0".repeat(missing))
        } else {
            " ".repeat(missing) + &text
        }
    }
}

/// The number at the beginning, if there is one, and the rest.
fn number(text: &str) -> Result<(Option<usize>, &str), String> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match digits.parse() {
        Ok(number) if number <= MAX_WIDTH => Ok((Some(number), rest)),
        _ => {
            Err(format!("printf: a width or precision of {digits}; at most {MAX_WIDTH} is allowed"))
        }
    }
}
