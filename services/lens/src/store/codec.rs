//! The encoding of spans and log lines: one sequence of bytes each, numbers as varints, strings as symbols of the dictionary. A
//! span of the mesh takes about a tenth of its decoded size.

use uuid::{Uuid, fmt::Hyphenated};

use super::interner::{Interned, Interner};
use crate::domain::{Attribute, Value};

/// The value of an attribute, borrowed from the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'a> {
    Text(&'a str),
    /// A text in the usual form of a UUID, such as the id of an order or an event: it takes 16 bytes instead of 37.
    Uuid(Uuid),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Json(&'a str),
}

impl Found<'_> {
    pub(super) fn to_value(self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::Uuid(uuid) => Value::Text(uuid.to_string()),
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Double(value) => Value::Double(value),
            Self::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Self::Json(text) => Value::Json(text.to_owned()),
        }
    }

    /// Whether the value reads like the text that a user searches for.
    pub(super) fn reads(self, text: &str) -> bool {
        match self {
            Self::Text(value) | Self::Json(value) => value == text,
            Self::Bool(value) => text.parse() == Ok(value),
            other => other.to_value().to_string() == text,
        }
    }
}

/// Writes a varint: seven bits in each byte, the low ones first.
pub(super) fn write_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads what [`write_number`] wrote; after the end, it reads zeros.
pub(super) fn read_number(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = match bytes.split_first() {
            Some((first, rest)) => {
                *bytes = rest;
                *first
            }
            None => 0,
        };
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) interner: &'a mut Interner,
    /// The trace that the values belong to: see [`Interner::value`].
    pub(super) trace: u64,
}

impl Encoder<'_> {
    pub(super) fn number(&mut self, value: u64) {
        write_number(self.out, value);
    }

    /// Writes a signed number; numbers near zero are short.
    pub(super) fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63) as u64);
    }

    /// Writes an id in 8 bytes: ids are random, and a varint would be longer.
    pub(super) fn fixed(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn name(&mut self, bytes: &[u8]) {
        let word = self.interner.name(bytes);
        self.interned(word);
    }

    pub(super) fn value(&mut self, bytes: &[u8]) {
        let word = self.interner.value(bytes, self.trace);
        self.interned(word);
    }

    fn interned(&mut self, word: Interned<'_>) {
        match word {
            Interned::Symbol(symbol) => self.number(u64::from(symbol) << 1 | 1),
            Interned::Inline(bytes) => {
                self.number((bytes.len() as u64) << 1);
                self.out.extend_from_slice(bytes);
            }
        }
    }

    pub(super) fn attributes(&mut self, attributes: &[Attribute]) {
        self.number(attributes.len() as u64);
        for Attribute { key, value } in attributes {
            self.name(key.as_bytes());
            match value {
                Value::Text(text) => match uuid_of(text) {
                    Some(uuid) => {
                        self.out.push(7);
                        self.out.extend_from_slice(uuid.as_bytes());
                    }
                    None => {
                        self.out.push(0);
                        self.value(text.as_bytes());
                    }
                },
                Value::Bool(value) => self.out.push(1 + u8::from(*value)),
                Value::Int(value) => {
                    self.out.push(3);
                    self.signed(*value);
                }
                Value::Double(value) => {
                    self.out.push(4);
                    self.fixed(value.to_bits());
                }
                Value::Bytes(bytes) => {
                    self.out.push(5);
                    self.value(bytes);
                }
                Value::Json(text) => {
                    self.out.push(6);
                    self.value(text.as_bytes());
                }
            }
        }
    }
}

/// The UUID of a text, only if formatting it gives the same text again.
fn uuid_of(text: &str) -> Option<Uuid> {
    if text.len() != Hyphenated::LENGTH {
        return None;
    }
    let uuid = Uuid::try_parse(text).ok()?;
    let mut again = [0; Hyphenated::LENGTH];
    (*uuid.hyphenated().encode_lower(&mut again) == *text).then_some(uuid)
}

/// Reads what an [`Encoder`] wrote; after the end, it reads zeros.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    interner: &'a Interner,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8], interner: &'a Interner) -> Self {
        Self { rest: bytes, interner }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn bytes_left(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => 0,
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        read_number(&mut self.rest)
    }

    pub(super) fn signed(&mut self) -> i64 {
        let value = self.number();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    pub(super) fn fixed(&mut self) -> u64 {
        self.take(8).try_into().map_or(0, u64::from_le_bytes)
    }

    /// The next `length` bytes, or as many as are left.
    pub(super) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let word = self.number();
        if word & 1 == 1 {
            self.interner.resolve((word >> 1) as u32)
        } else {
            self.take((word >> 1) as usize)
        }
    }

    pub(super) fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// A part that was encoded on its own and is stored as one word.
    pub(super) fn nested(&mut self) -> Self {
        Self::new(self.bytes(), self.interner)
    }

    /// Calls `each` for every attribute until it returns `true`; returns whether it did. Only if it never did, the decoder is
    /// positioned after the attributes.
    pub(super) fn any_attribute(
        &mut self,
        mut each: impl FnMut(&'a str, Found<'a>) -> bool,
    ) -> bool {
        for _ in 0..self.number() {
            let key = self.text();
            let value = match self.byte() {
                0 => Found::Text(self.text()),
                1 => Found::Bool(false),
                2 => Found::Bool(true),
                3 => Found::Int(self.signed()),
                4 => Found::Double(f64::from_bits(self.fixed())),
                5 => Found::Bytes(self.bytes()),
                7 => Found::Uuid(Uuid::from_slice(self.take(16)).unwrap_or_default()),
                _ => Found::Json(self.text()),
            };
            if each(key, value) {
                return true;
            }
        }
        false
    }

    pub(super) fn attributes(&mut self) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        self.any_attribute(|key, value| {
            attributes.push(Attribute { key: key.to_owned(), value: value.to_value() });
            false
        });
        attributes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            ".{0,300}".prop_map(Value::Text),
            any::<u128>().prop_map(|id| Value::Text(Uuid::from_u128(id).to_string())),
            any::<u128>()
                .prop_map(|id| Value::Text(Uuid::from_u128(id).to_string().to_uppercase())),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            proptest::num::f64::NORMAL.prop_map(Value::Double),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            Just(Value::Json("[1,2]".to_owned())),
        ]
    }

    proptest! {
        /// All attributes that are encoded can be decoded, with strings that are shared, strings that are not, and a full dictionary.
        #[test]
        fn attributes_survive(
            attributes in proptest::collection::vec(("[a-z.]{1,12}", value()), 0..20),
            limit in prop_oneof![Just(0), Just(1 << 20)],
        ) {
            let attributes: Vec<_> = attributes.into_iter().map(|(key, value)| Attribute { key, value }).collect();
            let mut interner = Interner::new(limit);
            for trace in 1..4 {
                let mut out = Vec::new();
                Encoder { out: &mut out, interner: &mut interner, trace }.attributes(&attributes);
                let mut decoder = Decoder::new(&out, &interner);
                prop_assert_eq!(decoder.attributes(), attributes.clone());
                prop_assert!(decoder.is_empty());
            }
        }

        #[test]
        fn numbers_survive(unsigned: u64, signed: i64, fixed: u64) {
            let mut interner = Interner::new(0);
            let mut out = Vec::new();
            let mut encoder = Encoder { out: &mut out, interner: &mut interner, trace: 1 };
            encoder.number(unsigned);
            encoder.signed(signed);
            encoder.fixed(fixed);
            let mut decoder = Decoder::new(&out, &interner);
            prop_assert_eq!((decoder.number(), decoder.signed(), decoder.fixed()), (unsigned, signed, fixed));
        }
    }
}
