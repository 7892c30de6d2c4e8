//! Makes text from outside safe to show: on a terminal, in an error, in a log line.

/// Replaces the rest of a text that was cut.
const REST: char = '…';

/// Returns `input` with all characters escaped that would control a terminal or be invisible there, in at most `max_chars`
/// characters.
///
/// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional and other format characters and characters
/// that Unicode has not assigned become `\n` or `\u{1b}`. A longer text ends with `…`, which counts; no escape is cut in two.
/// No more of `input` is read than is returned.
pub fn printable(input: &str, max_chars: usize) -> String {
    let mut shown = String::with_capacity(input.len().min(max_chars));
    // The length that is kept if the next character does not fit: one less than the limit, for the `…`.
    let (mut used, mut kept) = (0, 0);
    for character in input.chars() {
        if is_visible(character) {
            shown.push(character);
            used += 1;
        } else {
            let escape = character.escape_default();
            used += escape.len();
            shown.extend(escape);
        }
        if used > max_chars {
            shown.truncate(kept);
            if max_chars > 0 {
                shown.push(REST);
            }
            return shown;
        }
        if used < max_chars {
            kept = shown.len();
        }
    }
    shown
}

/// Whether a terminal shows `character` as itself, without any other effect.
pub fn is_visible(character: char) -> bool {
    match character {
        ' '..='~' => true,
        // Spaces of other scripts, which the standard library escapes.
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => true,
        // Letters and marks that are drawn as nothing. Variation selectors of emoji (U+FE00 to U+FE0F) stay.
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' => {
            false
        }
        '\u{2065}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}' => false,
        other => {
            // Escaped as a part of a string: the rule for single characters also escapes combining marks, half of many scripts.
            let mut after_a_letter = [b'a', 0, 0, 0, 0];
            let end = 1 + other.encode_utf8(&mut after_a_letter[1..]).len();
            let text = std::str::from_utf8(&after_a_letter[..end]).unwrap_or_default();
            text.escape_debug().nth(1) == Some(other)
        }
    }
}

/// Returns JSON that means the same as `json`, with all characters escaped that would control a terminal: JSON in a log is
/// shown there, too. Outside its texts, `json` may contain no invisible characters but line ends.
pub fn printable_json(json: String) -> String {
    let stays = |character: char| character == '\n' || is_visible(character);
    if json.chars().all(stays) {
        return json;
    }
    let mut all = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if stays(character) {
            all.push(character);
        } else {
            // As UTF-16: https://www.rfc-editor.org/rfc/rfc8259#section-7
            for unit in character.encode_utf16(&mut [0; 2]) {
                all.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    all
}

/// Whether colours are wanted and the terminal supports them, according to the environment: <https://no-color.org>,
/// `TERM=dumb`.
pub fn allows_colours(environment: &[(String, String)]) -> bool {
    let unwanted = environment.iter().any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
    !unwanted && !is_dumb(environment)
}

/// Whether the terminal supports no escape sequences, or the environment does not name the terminal.
pub fn is_dumb(environment: &[(String, String)]) -> bool {
    let term = environment.iter().find(|(name, _)| name == "TERM");
    term.is_none_or(|(_, term)| term.is_empty() || term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_can_be_shown_stays_as_it_is() {
        let texts = [
            "",
            "tok_ok",
            r#"it's "a\b""#,
            "Größe 3 €",
            "ติดตาม",
            "日本　語",
            "e\u{301}",
            "❤\u{fe0f}👍",
        ];
        for text in texts {
            assert_eq!(printable(text, 100), text);
        }
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_or_hides_is_left() {
        let hostile = ('\0'..' ')
            .chain('\u{7f}'..='\u{9f}')
            .chain('\u{200b}'..='\u{200f}')
            .chain('\u{2028}'..='\u{202e}')
            .chain('\u{2060}'..='\u{206f}')
            .chain('\u{e0000}'..='\u{e01ef}')
            .chain(
                "\u{ad}\u{34f}\u{61c}\u{180e}\u{2800}\u{3164}\u{feff}\u{fff9}\u{fffb}\u{1d173}"
                    .chars(),
            );
        for character in hostile {
            let text = printable(&format!("a{character}b"), 100);
            assert!(text.starts_with("a\\") && text.ends_with('b'), "{character:?}: {text}");
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{character:?}: {text}");
        }
        assert_eq!(printable("\x1b[2J\r\n\u{202e}x", 100), "\\u{1b}[2J\\r\\n\\u{202e}x");
    }

    #[test]
    fn json_means_the_same_and_is_harmless() {
        let value = serde_json::json!({ "key": "\x1b[2J\u{9b}\u{7f}\u{202e}\u{e0041} é\n" });
        let text = printable_json(serde_json::to_string_pretty(&value).unwrap());
        assert!(text.chars().all(|character| character == '\n' || is_visible(character)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn colours_are_left_out_where_they_are_not_wanted_or_not_understood() {
        let with = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let xterm = with("TERM", "xterm-256color");
        assert!(allows_colours(&xterm));
        assert!(!allows_colours(&[xterm.clone(), with("NO_COLOR", "1")].concat()));
        assert!(allows_colours(&[xterm, with("NO_COLOR", "")].concat()));
        assert!(!allows_colours(&with("TERM", "dumb")) && !allows_colours(&[]));
    }

    #[test]
    fn a_longer_text_is_cut_and_says_so_and_no_escape_is_cut_in_two() {
        assert_eq!(printable("abcde", 5), "abcde");
        assert_eq!(printable("abcdef", 5), "abcd…");
        assert_eq!(printable("ab\x1bcd", 5), "ab…");
        assert_eq!(printable("ab\x1bcd", 8), "ab…");
        assert_eq!(printable("ab\x1bcd", 10), "ab\\u{1b}cd");
        assert_eq!(printable("ab\x1bcd", 9), "ab\\u{1b}…");
        assert_eq!((printable("abc", 1), printable("abc", 0)), ("…".into(), String::new()));
        for max in 0..40 {
            assert!(printable("\x1bä\u{202e}日本\n語\x07abc", max).chars().count() <= max, "{max}");
        }
    }

    #[test]
    fn a_huge_text_costs_no_more_than_what_is_shown() {
        assert!(printable(&"x".repeat(1 << 20), 10).capacity() < 64);
        assert!(printable(&"\x1b".repeat(1 << 20), 10).capacity() < 64);
    }
}
