//! Which of the two formats a scraper asks for: <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1>

/// Whether the header `Accept` prefers OpenMetrics to Prometheus' text. At the same quality, a format that is named wins over
/// one that only a wildcard matches, and OpenMetrics wins if both are named. Without the header, the answer is text.
pub(crate) fn prefers_openmetrics(accept: &str) -> bool {
    let ranges: Vec<_> = accept.split(',').filter_map(Range::read).collect();
    let openmetrics = weight(&ranges, "application", "openmetrics-text", &["", "1.0.0"]);
    let text = weight(&ranges, "text", "plain", &[]);
    openmetrics.quality > 0 && openmetrics >= text && openmetrics.precision > Precision::Any
}

/// How much a format is preferred; compared by quality first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    /// In thousandths.
    quality: u16,
    precision: Precision,
}

/// How precisely a media range names a format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Any,
    Type,
    Named,
}

struct Range {
    kind: String,
    subtype: String,
    version: String,
    quality: u16,
}

impl Range {
    /// `None` if the range is malformed: then it is ignored.
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(|part| part.trim().to_lowercase());
        let (kind, subtype) =
            parts.next()?.split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        let mut range = Self { kind, subtype, version: String::new(), quality: 1000 };
        for parameter in parts {
            match parameter.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                Some(("q", value)) => range.quality = quality(value)?,
                Some(("version", value)) => range.version = value.trim_matches('"').to_owned(),
                _ => {}
            }
        }
        Some(range)
    }

    fn precision(&self, kind: &str, subtype: &str, versions: &[&str]) -> Option<Precision> {
        match (&*self.kind, &*self.subtype) {
            ("*", "*") => Some(Precision::Any),
            (own, "*") if own == kind => Some(Precision::Type),
            (own, rest) if own == kind && rest == subtype => {
                let fits = versions.is_empty() || versions.contains(&&*self.version);
                fits.then_some(Precision::Named)
            }
            _ => None,
        }
    }
}

/// The weight of the most precise of the ranges that match; of equally precise ranges, the one with the highest quality.
fn weight(ranges: &[Range], kind: &str, subtype: &str, versions: &[&str]) -> Weight {
    let fitting = ranges
        .iter()
        .filter_map(|range| Some((range.precision(kind, subtype, versions)?, range.quality)));
    let (precision, quality) = fitting.max().unwrap_or((Precision::Any, 0));
    Weight { quality, precision }
}

/// `0.75` in thousandths; at most three digits after the point, at most 1.
fn quality(text: &str) -> Option<u16> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number))?;
    Some((number * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scraper_gets_what_it_likes_best() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for openmetrics in [
            prometheus,
            "application/openmetrics-text",
            "APPLICATION/OpenMetrics-Text; Version=1.0.0",
            "text/plain;q=0.5, application/openmetrics-text;q=0.9",
            "text/plain, application/openmetrics-text",
            "*/*, application/openmetrics-text",
            "application/*, text/plain;q=0.1",
            "application/openmetrics-text;version=\"1.0.0\";q=0.001",
        ] {
            assert!(prefers_openmetrics(openmetrics), "{openmetrics}");
        }
        for text in [
            "",
            "*/*",
            "text/plain",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0, */*",
            "application/openmetrics-text;q=0.0, text/plain;q=0.1",
            "application/openmetrics-text;q=0.3, text/plain;q=0.4",
            "application/openmetrics-text;q=0.3, */*;q=0.4",
            "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
            "application/openmetrics-text-not",
            "application/openmetrics-text;q=wat, text/plain",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ] {
            assert!(!prefers_openmetrics(text), "{text}");
        }
    }
}
