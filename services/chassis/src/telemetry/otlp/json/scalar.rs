//! Scalars in protobuf's JSON: numbers may be strings, enumeration values may be names, bytes are strings.

use std::fmt;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// An unsigned 64-bit number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Unsigned(pub(super) u64);

/// A signed 64-bit number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Signed(pub(super) i64);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Double(pub(super) f64);

/// The number or the name of an enumeration value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Code {
    Number(i32),
    Name(String),
}

/// Bytes as hexadecimal digits of either case: ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hex(pub(super) Vec<u8>);

/// Bytes in Base64, of either alphabet, with or without padding.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Base64(pub(super) Vec<u8>);

impl Code {
    /// The number of the value; 0, which always means "unspecified", if it is missing or the name is unknown.
    pub(super) fn number(code: Option<Self>, of_name: impl Fn(&str) -> Option<i32>) -> i32 {
        match code {
            None => 0,
            Some(Self::Number(number)) => number,
            Some(Self::Name(name)) => of_name(&name).unwrap_or_default(),
        }
    }
}

/// A whole number in any notation: `2`, `"2"`, `2.0`, `2e0`.
struct Whole(i128);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Whole, E> {
        Ok(Whole(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Whole, E> {
        Ok(Whole(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Whole, E> {
        if value.fract() == 0.0 && value.abs() < 2_f64.powi(64) {
            return Ok(Whole(value as i128));
        }
        Err(E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
        match text.parse() {
            Ok(value) => Ok(Whole(value)),
            Err(_) => match number(text) {
                Some(value) => self.visit_f64(value),
                None => Err(E::invalid_value(Unexpected::Str(text), &self)),
            },
        }
    }
}

/// A number in JSON's notation: Rust's parser would also accept words such as `inf`.
fn number(text: &str) -> Option<f64> {
    let is_number =
        text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|value: &f64| is_number && value.is_finite())
}

fn within<N: TryFrom<i128>, E: Error>(Whole(value): Whole) -> Result<N, E> {
    N::try_from(value).map_err(|_| E::custom(format_args!("{value} is out of range")))
}

impl<'de> Deserialize<'de> for Unsigned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        within(Whole::deserialize(deserializer)?).map(Self)
    }
}

impl<'de> Deserialize<'de> for Signed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        within(Whole::deserialize(deserializer)?).map(Self)
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DoubleVisitor)
    }
}

struct DoubleVisitor;

impl Visitor<'_> for DoubleVisitor {
    type Value = Double;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Double, E> {
        Ok(Double(value as f64))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Double, E> {
        Ok(Double(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Double, E> {
        Ok(Double(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Double, E> {
        let value = match text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => number(text),
        };
        value.map(Double).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a number or a name of the enumeration")]
        enum Either {
            Number(Whole),
            Name(String),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Number(whole) => Self::Number(within(whole)?),
            Either::Name(name) => Self::Name(name),
        })
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let bytes: Option<_> = text.as_bytes().chunks(2).map(byte).collect();
        let expected = "an even number of hexadecimal digits";
        bytes.map(Self).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &expected))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const PADDED_OR_NOT: GeneralPurposeConfig =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let text = String::deserialize(deserializer)?.replace('-', "+").replace('_', "/");
        let bytes = GeneralPurpose::new(&STANDARD, PADDED_OR_NOT).decode(&text);
        bytes.map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn whole_numbers_may_be_texts_and_have_exponents_but_stay_in_range() {
        for (json, value) in [("2", 2), (r#""2""#, 2), ("2.0", 2), ("2e1", 20), (r#""2e1""#, 20)] {
            assert_eq!(read(json), Some(Unsigned(value)), "{json}");
            assert_eq!(read(json), Some(Signed(value as i64)), "{json}");
        }
        assert_eq!(read(r#""18446744073709551615""#), Some(Unsigned(u64::MAX)));
        assert_eq!(read("18446744073709551615"), Some(Unsigned(u64::MAX)));
        assert_eq!(read(r#""-9223372036854775808""#), Some(Signed(i64::MIN)));
        for bad in
            ["-1", r#""-1""#, "1.5", "18446744073709551616", r#""""#, r#""x""#, "true", "1e30"]
        {
            assert_eq!(read::<Unsigned>(bad), None, "{bad}");
        }
        assert_eq!(read::<Signed>("9223372036854775808"), None);
    }

    #[test]
    fn a_double_may_be_a_text_or_a_word() {
        for (json, value) in [("1", 1.0), (r#""1.5""#, 1.5), ("-2", -2.0), (r#""-1e3""#, -1e3)] {
            assert_eq!(read(json), Some(Double(value)), "{json}");
        }
        assert!(read::<Double>(r#""NaN""#).unwrap().0.is_nan());
        assert_eq!(read(r#""-Infinity""#), Some(Double(f64::NEG_INFINITY)));
        for bad in [r#""inf""#, r#""nan""#, r#""""#, r#""1e999""#, "true", "[]"] {
            assert_eq!(read::<Double>(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_enumeration_has_numbers_and_names() {
        let of_name = |name: &str| (name == "SPAN_KIND_SERVER").then_some(2);
        for json in ["2", r#""2""#, r#""SPAN_KIND_SERVER""#] {
            assert_eq!(Code::number(read(json), of_name), 2, "{json}");
        }
        assert_eq!(Code::number(read(r#""SPAN_KIND_OF_TOMORROW""#), of_name), 0);
        assert_eq!(read::<Code>("5000000000"), None);
        assert_eq!(read::<Code>("true"), None);
    }

    #[test]
    fn ids_are_hexadecimal_and_bytes_are_base64() {
        assert_eq!(read(r#""00aAFf""#), Some(Hex(vec![0, 0xaa, 0xff])));
        assert_eq!(read(r#""""#), Some(Hex(Vec::new())));
        for bad in [r#""abc""#, r#""+1""#, r#""q80=""#, "12", r#""ää""#] {
            assert_eq!(read::<Hex>(bad), None, "{bad}");
        }
        for json in [r#""+/8=""#, r#""+/8""#, r#""-_8=""#, r#""-_8""#] {
            assert_eq!(read(json), Some(Base64(vec![0xfb, 0xff])), "{json}");
        }
        assert_eq!(read::<Base64>(r#""?""#), None);
    }
}
