//! Reads the Prometheus text format.

use std::collections::BTreeMap;

/// One line of `/metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name, with `_bucket`, `_sum`, `_count`.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All samples of `/metrics` at one moment.
#[derive(Clone, Debug, Default)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    /// Parses the text format.
    ///
    /// # Panics
    /// If a line is not in that format, so that the test fails.
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(
            lines
                .map(|line| sample(line).unwrap_or_else(|| panic!("not the text format: {line}")))
                .collect(),
        )
    }

    /// The sum of all samples with this name whose labels include these.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).map(String::as_str) == Some(value))
        };
        self.0.iter().filter(fits).map(|sample| sample.value).sum()
    }

    /// Whether there is any sample of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|sample| sample.name == name)
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().ok()?,
    };
    let Some((name, rest)) = series.split_once('{') else {
        return Some(Sample { name: series.to_owned(), labels: BTreeMap::new(), value });
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest.strip_suffix('}')?;
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"")?;
        let end = closing_quote(after)?;
        labels.insert(
            key.to_owned(),
            after[..end].replace("\\\"", "\"").replace("\\n", "\n").replace("\\\\", "\\"),
        );
        rest = after[end + 1..].trim_start_matches(',');
    }
    Some(Sample { name: name.to_owned(), labels, value })
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(index, letter)| {
        let closes = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        closes.then_some(index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_with_any_characters_are_parsed() {
        let samples = Samples::read("# HELP x y\na_total{b=\"c\\\"d\",e=\"f,g}\"} 3\nh 4.5\n");
        assert_eq!(samples.0[0].labels["b"], "c\"d");
        assert_eq!(samples.sum("a_total", &[("e", "f,g}")]), 3.0);
        assert_eq!(samples.sum("h", &[]), 4.5);
        assert!(!samples.has("i"));
    }
}
