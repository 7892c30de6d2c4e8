//! Texts that are no query, or one that Prometheus refuses without a feature flag.

use super::Grammar;

const REFUSED: [&str; 96] = [
    "",
    " ",
    "(",
    ")",
    "up)",
    "(up",
    "up{",
    "up}",
    "up{job}",
    "up{job=}",
    "up{job=api}",
    "up{job=~\"(\"}",
    "up{=\"a\"}",
    "{}",
    "{job=\"\"}",
    "{job=~\".*\"}",
    "{job!=\"a\"}",
    "up{__name__=\"up\"}",
    "up[5m",
    "up[]",
    "up[0s]",
    "up[5]m",
    "up[-5m]",
    "up[5m][5m]",
    "up[5m] offset",
    "up offset",
    "up offset 5x",
    "up offset 5m offset 5m",
    "up @",
    "up @ now()",
    "up @ \"a\"",
    "up @ 1 @ 2",
    "up[5m:1m][1m]",
    "up[5m:0s]",
    "(up + up) offset 5m",
    "rate(up)",
    "rate(up[5m:])[1m]",
    "rate(5)",
    "rate()",
    "rate(up[5m], 1)",
    "abs(up[5m])",
    "abs(1)",
    "abs()",
    "abs(up, up)",
    "scalar(1)",
    "vector(up)",
    "time(1)",
    "round(up, up)",
    "clamp(up, 1)",
    "histogram_quantile(up, 0.5)",
    "histogram_quantile(0.5)",
    "label_replace(up, \"a\")",
    "label_replace(up, a, \"b\", \"c\", \"d\")",
    "label_replace(up, \"\", \"b\", \"job\", \"d\")",
    "label_replace(up, \"a\", \"b\", \"job\", \"(\")",
    "label_join(up, \"\", \",\", \"job\")",
    "label_join(up, \"a\", \",\", \"\")",
    "unknown(up)",
    "sum",
    "sum(",
    "sum()",
    "sum(1)",
    "sum(up[5m])",
    "sum by job (up)",
    "sum by (1) (up)",
    "sum by (job) without (job) (up)",
    "topk(up)",
    "topk(1, 1)",
    "quantile(up, up)",
    "count_values(1, up)",
    "count_values(\"\", up)",
    "up +",
    "+ up up",
    "up up",
    "up and 1",
    "1 or 2",
    "1 == 2",
    "1 > 2",
    "up + bool up",
    "up + on(job) group_left() group_right() up",
    "up and on(job) group_left() up",
    "up + group_left() up",
    "up[5m] + up",
    "\"a\" + \"b\"",
    "-\"a\"",
    "-up[5m]",
    "1 + \"a\"",
    "double_exponential_smoothing(up[5m], 0.5, 0.5)",
    "mad_over_time(up[5m])",
    "sort_by_label(up, \"job\")",
    "limitk(1, up)",
    "ts_of_max_over_time(up[5m])",
    "info(up)",
    "up smoothed",
    "rate(up[5m] anchored)",
    "max_of(1, 2)",
];

/// The texts above, and generated expressions that lack a character or have one twice.
pub(crate) fn refused(seed: u64, generated: usize) -> Vec<String> {
    let mut grammar = Grammar::new(11 + seed);
    let mut texts: Vec<_> = REFUSED.iter().map(|text| (*text).to_owned()).collect();
    for _ in 0..generated {
        let mut characters: Vec<_> = grammar.expression().chars().collect();
        let place = grammar.0.below(characters.len());
        if grammar.0.chance(50) {
            characters.remove(place);
        } else {
            characters.insert(place, characters[place]);
        }
        texts.push(characters.into_iter().collect());
    }
    texts
}
