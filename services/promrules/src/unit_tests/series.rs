//! The notation of input series: `up{job="orders"}` and `0+5x60 _x3 stale`.

use std::sync::Arc;

use promql::{Labels, Query, STALE};

/// The maximum of values of a series.
const MAX_VALUES: usize = 1_000_000;

/// The labels of a series.
pub(super) fn labels(text: &str) -> Result<Labels, String> {
    let mistake =
        || format!("{text:?} is no series; expected a name and labels, as up{{job=\"orders\"}}");
    if text.trim() == "{}" {
        return Ok(Labels::empty());
    }
    let query = Query::parse(text).map_err(|error| format!("{}: {error}", mistake()))?;
    let selector = query.as_selector().ok_or_else(mistake)?;
    if !selector.or_matchers.is_empty()
        || selector.matchers.iter().any(|label| label.op.to_string() != "=")
    {
        return Err(mistake());
    }
    let pairs = selector.matchers.iter();
    Ok(Labels::new(pairs.map(|label| (Arc::from(&*label.name), Arc::from(&*label.value)))))
}

/// The values of a series, one each interval; none where there is no sample.
pub(super) fn values(text: &str) -> Result<Vec<Option<f64>>, String> {
    let mut values = Vec::new();
    for item in text.split_whitespace() {
        let mistake = || {
            format!(
                "{item:?} is no value of a series; expected one as 5, 5x3, 5+1x3, 5-1x3, _, _x3 or stale"
            )
        };
        let (what, times) = match item.rsplit_once('x') {
            Some((what, times)) => (what, Some(times.parse::<usize>().map_err(|_| mistake())?)),
            None => (item, None),
        };
        if values.len() + times.unwrap_or(0) >= MAX_VALUES {
            return Err(format!("a series has more than {MAX_VALUES} values"));
        }
        match (what, times) {
            ("_", times) => values.extend(std::iter::repeat_n(None, times.unwrap_or(1))),
            ("stale", None) => values.push(Some(STALE)),
            (what, None) => values.push(Some(number(what).ok_or_else(mistake)?)),
            (what, Some(times)) => {
                let (first, step) = progression(what).ok_or_else(mistake)?;
                // Added up one by one, as promtool does: the last bits of a product would differ.
                let mut value = first;
                for _ in 0..=times {
                    values.push(Some(value));
                    value += step;
                }
            }
        }
    }
    Ok(values)
}

/// `5`, `5+1`, `-5-1e-3`: the first value and what is added each time.
fn progression(text: &str) -> Option<(f64, f64)> {
    if let Some(value) = number(text) {
        return Some((value, 0.0));
    }
    let signs = text.char_indices().skip(1).filter(|(_, letter)| matches!(letter, '+' | '-'));
    let mut parts =
        signs.filter_map(|(place, _)| Some((number(&text[..place])?, number(&text[place..])?)));
    parts.next()
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}
