//! The URL that a request is passed on to: never one outside of its prefix, however a server decodes the path.

use http::Uri;
use reqwest::Url;

/// No server decodes a path more often than this.
const ROUNDS: usize = 3;

/// The URL below `base`, or why the path is refused.
pub(super) fn target(base: &str, prefix: &str, uri: &Uri) -> Result<Url, &'static str> {
    let path = uri.path();
    check(path)?;
    let target = uri.path_and_query().map_or(path, |target| target.as_str());
    let url = Url::parse(&format!("{base}{target}")).map_err(|_| "it is no URL")?;
    // The parsed URL is what is sent, so it has the last word: it must be below the prefix.
    let below = url.path().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    if below { Ok(url) } else { Err("it leads elsewhere") }
}

/// Refuses ambiguous paths: servers differ in how often they decode a path, and in which characters are separators.
fn check(path: &str) -> Result<(), &'static str> {
    if path.contains("//") {
        return Err("it has an empty segment");
    }
    let separators = path.matches('/').count();
    let mut text = path.as_bytes().to_vec();
    for _ in 0..=ROUNDS {
        if text.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\') {
            return Err("it has a backslash or a control character");
        }
        if text.iter().filter(|byte| **byte == b'/').count() > separators {
            return Err("it has an encoded slash");
        }
        if text.split(|byte| *byte == b'/').any(is_dots) {
            return Err("it has a segment that is . or ..");
        }
        let decoded = decode(&text);
        match decoded {
            // After the first round, a percent sign may be literal.
            None if text == path.as_bytes() => return Err("it has a % that encodes nothing"),
            None => return Ok(()),
            Some(same) if same == text => return Ok(()),
            Some(decoded) => text = decoded,
        }
    }
    Err("it is encoded again and again")
}

/// Whether the segment is `.` or `..`, also with parameters, which some servers cut off first: `..;v=1`.
fn is_dots(segment: &[u8]) -> bool {
    let name = segment.split(|byte| *byte == b';').next().unwrap_or(segment);
    matches!(name, b"." | b"..")
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => 16 * digit(*bytes.next()?)? + digit(*bytes.next()?)?,
            plain => *plain,
        });
    }
    Some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    fn passed(target: &str) -> Result<String, &'static str> {
        let uri = target.parse().map_err(|_| "it is no URI")?;
        super::target("http://there:1", "/tea", &uri).map(|url| url.to_string())
    }

    #[test]
    fn what_is_below_the_prefix_is_passed_on_as_it_is() {
        for target in [
            "/tea/",
            "/tea/d/abc?var=a%2Fb&x=../..//",
            "/tea/a.b/..c/...",
            "/tea/a%20b/100%25",
            "/tea/gr%C3%BCn",
            "/tea/a;b=1/c",
        ] {
            assert_eq!(passed(target), Ok(format!("http://there:1{target}")));
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused_with_a_reason() {
        for target in [
            "/tea/..",
            "/tea/%2e%2e",
            "/tea/%2E./x",
            "/tea/a%2fb",
            "/tea/a%2Fb",
            "/tea/a%252fb",
            "/tea/a%5cb",
            "/tea/%25252e%25252e/x",
            "/tea/..;x=1/y",
            "/tea/a%",
            "/tea/a%4",
            "/tea/a%7f",
            "/teas/x",
            "/tea",
        ] {
            assert!(passed(target).is_err(), "{target}");
        }
    }
}
