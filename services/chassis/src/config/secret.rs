//! Types for settings that must not appear in logs: they show their value only through `expose`.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The text that is shown instead.
const HIDDEN: &str = "***";

/// Words that mark the name of a setting, or of a URL's parameter, as a secret.
const WORDS: [&str; 10] =
    ["pass", "pwd", "secret", "token", "key", "auth", "cred", "signature", "jwt", "sas"];

/// A text that is shown as `***` by every formatter and serializer; an empty one is shown as it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

/// The URL of a server, or several separated by commas. It is shown without credentials: the password or token before an `@`,
/// and parameters like `password=`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretUrl(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn shown(&self) -> Cow<'_, str> {
        if self.0.is_empty() { "" } else { HIDDEN }.into()
    }
}

impl SecretUrl {
    /// The URL itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a URL for a setting. The error of `check` must not repeat the URL.
    pub(crate) fn checked<'de, D: Deserializer<'de>>(
        deserializer: D,
        check: impl FnOnce(&str) -> Result<(), String>,
    ) -> Result<Self, D::Error> {
        let url = Self::deserialize(deserializer)?;
        check(&url.0).map_err(de::Error::custom)?;
        Ok(url)
    }

    fn shown(&self) -> Cow<'_, str> {
        if self.0.contains("://") {
            return masked(&self.0).into();
        }
        // URLs without a scheme, as NATS accepts them, too. Of several, everything before the last user is hidden: a password
        // may contain a comma.
        without_user("", &self.0).into()
    }
}

macro_rules! hidden {
    ($($type:ident),+) => {
        $(
            impl fmt::Debug for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Debug::fmt(&*self.shown(), f)
                }
            }

            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.shown())
                }
            }

            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(&self.shown())
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_any(Text).map(Self)
                }
            }

            impl From<&str> for $type {
                fn from(text: &str) -> Self {
                    Self(text.to_owned())
                }
            }

            impl From<String> for $type {
                fn from(text: String) -> Self {
                    Self(text)
                }
            }
        )+
    };
}

hidden!(Secret, SecretUrl);

/// Reads numbers and booleans as text, too, so that no error message contains the value.
struct Text;

impl de::Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<String, E> {
        Ok(truth.to_string())
    }
}

/// Whether a setting or a parameter of this name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// A text with URLs, without their credentials. Hides too much rather than too little: everything before the last `@` of a URL,
/// since a password may contain a `/` that should have been encoded.
pub(super) fn masked(text: &str) -> String {
    let Some(first) = text.find("://") else { return text.to_owned() };
    let start = first + "://".len();
    let (scheme, rest) = text.split_at(start);
    // The next URL begins with its scheme, after the preceding comma.
    let next = rest.find("://").and_then(|next| rest.get(..next)?.rfind(',')).map(|at| at + 1);
    let (own, others) = rest.split_at(next.unwrap_or(rest.len()));
    let (address, parameters) = own.split_at(own.find(['?', '#']).unwrap_or(own.len()));
    // A password may contain a `?`, too.
    let (address, parameters) =
        if parameters.contains('@') { (own, "") } else { (address, parameters) };
    format!("{}{}{}", without_user(scheme, address), without_values(parameters), masked(others))
}

fn without_user(scheme: &str, address: &str) -> String {
    match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) if !name.contains(['@', ',', '/']) => {
                format!("{scheme}{name}:{HIDDEN}@{host}")
            }
            // A name alone may be a token; a text before it that looks like another URL may contain one.
            _ => format!("{scheme}{HIDDEN}@{host}"),
        },
        None => format!("{scheme}{address}"),
    }
}

/// `?a=b&password=c` with `c` hidden.
fn without_values(parameters: &str) -> String {
    let hidden = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => {
            let decoded = percent_decoded(name).unwrap_or_else(|| "key".into());
            let ends = value.strip_suffix(['&', ';', '?', '#', ',']).unwrap_or(value).len();
            let end = value.get(ends..).unwrap_or_default();
            if is_secret(&decoded) { format!("{name}={HIDDEN}{end}") } else { pair.to_owned() }
        }
        None => pair.to_owned(),
    };
    parameters.split_inclusive(['&', ';', '?', '#']).map(hidden).collect()
}

/// Decodes `%41` to `A`; `None` if a `%` is not followed by two hexadecimal digits, or the result is not UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            bytes.push(*byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(*digits.first()?)? * 16 + digit(*digits.last()?)?;
        bytes.push(u8::try_from(value).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_lets_one_in() {
        let shown = |text: &str| SecretUrl::from(text).to_string();
        for (url, expected) in [
            ("postgres://ada:lovelace@db:5432/mesh", "postgres://ada:***@db:5432/mesh"),
            ("nats://token@nats:4222", "nats://***@nats:4222"),
            ("nats://a:b@one:1,nats://c:d@two:2", "nats://a:***@one:1,nats://c:***@two:2"),
            ("nats://a:b@one:1, nats://token@two:2", "nats://a:***@one:1, nats://***@two:2"),
            ("nats://one:1,two:2", "nats://one:1,two:2"),
            ("token@one:1,two:2", "***@one:1,two:2"),
            ("nats://token@one:1,a:b@two:2", "nats://***@two:2"),
            ("a:b,c@one:1", "a:***@one:1"),
            ("a:b@one:1,token@two:2", "a:***@two:2"),
            ("nats://a:b,c@one:1,nats://two:2", "nats://a:***@one:1,nats://two:2"),
            ("postgres://a:x/y@db/mesh", "postgres://a:***@db/mesh"),
            ("postgres://a:x?y@db/mesh", "postgres://a:***@db/mesh"),
            (
                "postgres://db/mesh?password=x&sslmode=require",
                "postgres://db/mesh?password=***&sslmode=require",
            ),
            (
                "postgres://db/mesh?user=ada&p%61ssword=x",
                "postgres://db/mesh?user=ada&p%61ssword=***",
            ),
            ("redis://:x@valkey:6379/0", "redis://:***@valkey:6379/0"),
            (
                "https://pay.example/?api_key=x#token=y",
                "https://pay.example/?api_key=***#token=***",
            ),
            ("http://localhost:1/x", "http://localhost:1/x"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn a_secret_is_shown_by_nothing() {
        let secret = Secret::from("hunter2");
        let all = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert_eq!(all, "*** \"***\" \"***\"");
        assert_eq!((secret.expose(), Secret::default().to_string()), ("hunter2", String::new()));
        let number: Secret = serde_json::from_str("42").unwrap();
        assert_eq!(number.expose(), "42");
    }

    #[test]
    fn percent_encoding_is_read_whole_or_not_at_all() {
        assert_eq!(percent_decoded("a%20b%2Cc").as_deref(), Some("a b,c"));
        assert_eq!(percent_decoded("%C3%A4").as_deref(), Some("ä"));
        for broken in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(percent_decoded(broken), None, "{broken}");
        }
    }
}
