//! Functions of strings.

use std::net::IpAddr;

use super::Value;

pub(super) fn replace_all(pattern: &Value, replacement: &str, text: &str) -> Result<Value, String> {
    Ok(pattern.as_pattern()?.regex().replace_all(text, replacement).as_ref().into())
}

pub(super) fn is_match(pattern: &Value, text: &str) -> Result<Value, String> {
    Ok(Value::Bool(pattern.as_pattern()?.regex().is_match(text)))
}

/// The first letter of each word in upper case, and the others as they are.
pub(super) fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut is_inside = false;
    while let Some(letter) = letters.next() {
        if is_inside || !letter.is_alphabetic() {
            titled.push(letter);
        } else {
            titled.extend(letter.to_uppercase());
        }
        // `it's` and `example.com` are one word.
        let joins = is_inside
            && matches!(letter, '\'' | '’' | '.' | ':' | '·')
            && letters.peek().is_some_and(|next| next.is_alphabetic());
        is_inside = letter.is_alphanumeric() || letter == '_' || joins;
    }
    titled
}

/// Host and port of `host:port` or `[address]:port`.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']').map(|host| (host, port)),
        None => (!host.contains([':', '[', ']'])).then_some((host, port)),
    }
}

pub(super) fn strip_port(text: &str) -> &str {
    host_and_port(text).map_or(text, |(host, _)| host)
}

pub(super) fn strip_domain(text: &str) -> String {
    let (host, port) = host_and_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let name = host.split('.').next().unwrap_or_default();
    if port.is_empty() { name.to_owned() } else { format!("{name}:{port}") }
}

/// The path of a URL.
pub(super) fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = if rest.len() == url.len() {
        rest
    } else {
        rest.find('/').map_or("", |place| &rest[place..])
    };
    path.split(['?', '#']).next().unwrap_or_default()
}

/// Escapes a text for the query of a URL.
pub(super) fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
