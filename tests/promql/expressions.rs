//! Expressions that are the same in every run: every function, aggregation, operator and modifier, nested at random.

mod refused;

use crate::random::Random;
pub(crate) use refused::refused;

const MATH: &str = "abs ceil floor exp sqrt ln log2 log10 sgn deg rad asin acos atan sinh cosh tanh asinh acosh atanh round \
    sort sort_desc";
/// Only of what was stored: they turn a difference in the last digit of a great value into any other value.
const PERIODIC: &str = "sin cos tan";
const DATE: &str = "minute hour day_of_week day_of_month day_of_year days_in_month month year";
const OVER_RANGE: &str = "rate irate increase delta idelta deriv changes resets avg_over_time min_over_time max_over_time sum_over_time \
    count_over_time last_over_time first_over_time stddev_over_time stdvar_over_time present_over_time \
    absent_over_time rate";
const AGGREGATIONS: &str = "sum avg min max count group";
/// Only of what was stored: the order of the series, which Prometheus leaves to chance behind other functions, decides about most
/// digits where values are great and near each other.
const SPREAD: &str = "stddev stdvar";
const ARITHMETIC: &str = "+ - * / % ^ atan2";
const COMPARISON: &str = "== != > < >= <=";
const SETS: &str = "and or unless";
const LABELS: &str = "instance job path code zone kind missing";
const DURATIONS: &str = "1s 10s 30s 1m 90s 2m 5m 7m30s 20m";
const NUMBERS: &str = "0 1 2 -1 0.5 -0.3 10 1e3 0x1F NaN Inf -Inf 1e-9 3.7";
/// Selectors, and the labels of their series.
const SELECTORS: [&str; 22] = [
    "requests_total",
    "requests_total{job=\"api\"}",
    "requests_total{code!=\"200\"}",
    "requests_total{path=~\"/b.*\",code=\"200\"}",
    "requests_total{instance!~\"[ab]:.\"}",
    "temperature",
    "temperature{zone=\"north\"}",
    "balance",
    "up",
    "up{job=~\"api|web\"}",
    "build_info",
    "memory_bytes",
    "odd",
    "odd{kind=~\"nan|sometimes|infinite\"}",
    "sparse",
    "birth_seconds",
    "latency_seconds_bucket",
    "latency_seconds_count",
    "latency_seconds_sum",
    "{__name__=~\"up|balance\",job=\"api\"}",
    "nothing",
    "nothing{job=\"api\",code=~\"2..\"}",
];
/// Selectors whose values differ from each other, so that the greatest are certain.
const DISTINCT: [&str; 4] =
    ["temperature", "memory_bytes", "balance", "requests_total{code=\"200\"}"];

/// Writes expressions.
pub(crate) struct Grammar(Random);

impl Grammar {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    /// One of the given expressions, most often a vector.
    pub(crate) fn expression(&mut self) -> String {
        match self.0.below(20) {
            0 => self.scalar(3),
            1 => self.matrix(1),
            2 => format!("\"{}\"", self.0.of(&["a", "ü", "a\\nb", ""])),
            _ => {
                let depth = 1 + self.0.below(3);
                self.vector(depth)
            }
        }
    }

    fn word(&mut self, words: &'static str) -> &'static str {
        let words: Vec<_> = words.split_whitespace().collect();
        self.0.of(&words)
    }

    fn number(&mut self) -> String {
        self.word(NUMBERS).to_owned()
    }

    fn scalar(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.number();
        }
        match self.0.below(8) {
            0 => "time()".to_owned(),
            1 => "pi()".to_owned(),
            2 => format!("scalar({})", self.vector(depth - 1)),
            3 => {
                let (a, b) = (self.scalar(depth - 1), self.scalar(depth - 1));
                format!("({a} {} {b})", self.word(ARITHMETIC))
            }
            4 => {
                let (a, b) = (self.scalar(depth - 1), self.scalar(depth - 1));
                format!("({a} {} bool {b})", self.word(COMPARISON))
            }
            5 => format!("-({})", self.scalar(depth - 1)),
            _ => self.number(),
        }
    }

    fn selector(&mut self) -> String {
        let selector = self.0.of(&SELECTORS);
        self.moved(selector)
    }

    /// With `offset` and `@`, now and then.
    fn moved(&mut self, selector: &str) -> String {
        let mut moved = selector.to_owned();
        if self.0.chance(15) {
            let sign = self.0.of(&["", "", "-"]);
            moved += &format!(" offset {sign}{}", self.word(DURATIONS));
        }
        if self.0.chance(10) {
            moved += self.0.of(&[" @ 1700001000", " @ start()", " @ end()", " @ 1700000500.5"]);
        }
        moved
    }

    fn matrix(&mut self, depth: usize) -> String {
        if depth > 0 && self.0.chance(25) {
            let inner = self.vector(depth - 1);
            let step = self.0.of(&["", "30s", "10s", "1m", "17s"]);
            let range = self.0.of(&["1m", "2m", "5m", "10m"]);
            return self.moved(&format!("({inner})[{range}:{step}]"));
        }
        let (selector, range) = (self.0.of(&SELECTORS), self.word(DURATIONS));
        self.moved(&format!("{selector}[{range}]"))
    }

    fn vector(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.selector();
        }
        match self.0.below(24) {
            0..=5 => self.over_range(depth),
            6..=9 => self.aggregation(depth),
            10..=15 => self.binary(depth),
            16 | 17 if self.0.chance(15) => {
                format!("{}({})", self.word(PERIODIC), self.selector())
            }
            16 | 17 => format!("{}({})", self.word(MATH), self.vector(depth - 1)),
            18 => self.histogram(),
            19 => self.labels(depth),
            20 => self.date(depth),
            21 => self.special(depth),
            22 => format!("-{}", self.selector()),
            _ => self.selector(),
        }
    }

    fn over_range(&mut self, depth: usize) -> String {
        let matrix = self.matrix(depth);
        match self.0.below(12) {
            0 => format!("predict_linear({matrix}, {})", self.scalar(1)),
            1 => format!(
                "quantile_over_time({}, {matrix})",
                self.0.of(&["0", "0.5", "0.9", "1", "2", "-1", "NaN"])
            ),
            _ => format!("{}({matrix})", self.word(OVER_RANGE)),
        }
    }

    /// ` by (…)`, ` without (…)` or nothing.
    fn grouping(&mut self) -> String {
        let labels: Vec<_> = (0..self.0.below(4)).map(|_| self.word(LABELS)).collect();
        match self.0.below(3) {
            0 => String::new(),
            1 => format!(" by ({})", labels.join(", ")),
            _ => format!(" without ({})", labels.join(", ")),
        }
    }

    fn aggregation(&mut self, depth: usize) -> String {
        let grouping = self.grouping();
        match self.0.below(10) {
            0 => {
                let of = self.0.of(&["topk", "bottomk"]);
                let (k, selector) =
                    (self.0.of(&["0", "1", "2", "3.9", "-1", "100"]), self.0.of(&DISTINCT));
                format!("{of}{grouping}({k}, {selector})")
            }
            1 => format!(
                "quantile{grouping}({}, {})",
                self.0.of(&["0", "0.3", "0.99", "1", "-2", "NaN"]),
                self.vector(depth - 1)
            ),
            // Only of what was stored: the last digit of a calculated value may differ.
            2 => {
                let label = self.0.of(&["value", "job"]);
                format!("count_values{grouping}(\"{label}\", {})", self.selector())
            }
            3 => format!("{}{grouping}({})", self.word(SPREAD), self.selector()),
            _ => format!("{}{grouping}({})", self.word(AGGREGATIONS), self.vector(depth - 1)),
        }
    }

    fn binary(&mut self, depth: usize) -> String {
        match self.0.below(8) {
            0 | 1 => {
                let (vector, scalar) = (self.vector(depth - 1), self.scalar(1));
                let operator = self.operator();
                if self.0.chance(50) {
                    format!("({vector}) {operator} {scalar}")
                } else {
                    format!("{scalar} {operator} ({vector})")
                }
            }
            2 => {
                let (a, b) = (self.vector(depth - 1), self.vector(depth - 1));
                let on = self.matching();
                format!("({a}) {}{on} ({b})", self.word(SETS))
            }
            3 | 4 => self.grouped(depth),
            5 => {
                // One selector on both sides: each series has a partner.
                let side = self.0.of(&SELECTORS);
                let moved = self.moved(side);
                format!("{side} {} {moved}", self.operator())
            }
            _ => {
                let (a, b) = (self.vector(depth - 1), self.vector(depth - 1));
                let on = self.matching();
                format!("({a}) {}{on} ({b})", self.operator())
            }
        }
    }

    fn operator(&mut self) -> String {
        if self.0.chance(50) {
            return self.word(ARITHMETIC).to_owned();
        }
        let modifier = self.0.of(&["", " bool"]);
        format!("{}{modifier}", self.word(COMPARISON))
    }

    fn matching(&mut self) -> String {
        let labels: Vec<_> = (0..self.0.below(3)).map(|_| self.word(LABELS)).collect();
        match self.0.below(3) {
            0 => String::new(),
            1 => format!(" on({})", labels.join(",")),
            _ => format!(" ignoring({})", labels.join(",")),
        }
    }

    /// Many series on one side, one on the other.
    fn grouped(&mut self, depth: usize) -> String {
        let operator = self.operator();
        let many = match self.0.below(3) {
            0 => "requests_total".to_owned(),
            1 => "rate(requests_total[2m])".to_owned(),
            _ => self.vector(depth - 1),
        };
        let on =
            self.0.of(&["on(instance)", "on(instance, job)", "on(job)", "ignoring(path, code)"]);
        let one = self.0.of(&[
            "build_info",
            "memory_bytes",
            "balance",
            "sum by (instance) (temperature)",
        ]);
        let include = self.0.of(&["", "()", "(version)", "(version, job)", "(missing)"]);
        if self.0.chance(70) {
            format!("({many}) {operator} {on} group_left{include} {one}")
        } else {
            format!("{one} {operator} {on} group_right{include} ({many})")
        }
    }

    fn histogram(&mut self) -> String {
        let buckets = match self.0.below(6) {
            0 => "broken_bucket".to_owned(),
            1 => "latency_seconds_bucket".to_owned(),
            2 => "rate(latency_seconds_bucket[2m])".to_owned(),
            3 => "sum by (le) (rate(latency_seconds_bucket[1m]))".to_owned(),
            4 => "sum by (job, le) (increase(latency_seconds_bucket[5m]))".to_owned(),
            _ => "{__name__=~\"latency_seconds_bucket|broken_bucket\"}".to_owned(),
        };
        if self.0.chance(70) {
            let q = self.0.of(&["0", "0.1", "0.5", "0.9", "0.99", "1", "1.1", "-0.1", "NaN"]);
            return format!("histogram_quantile({q}, {buckets})");
        }
        let lower = self.0.of(&["-Inf", "0", "0.01", "0.05", "-1.5", "NaN"]);
        let upper = self.0.of(&["Inf", "0.1", "0.3", "1", "2", "0"]);
        format!("histogram_fraction({lower}, {upper}, {buckets})")
    }

    fn labels(&mut self, depth: usize) -> String {
        let vector = self.vector(depth - 1);
        let (target, source) =
            (self.0.of(&["new", "job", "instance", "__name__"]), self.word(LABELS));
        if self.0.chance(35) {
            let separator = self.0.of(&["-", "", ", "]);
            return format!(
                "label_join({vector}, \"{target}\", \"{separator}\", \"job\", \"{source}\")"
            );
        }
        let replacement = self.0.of(&["$1", "${1}x", "$$", "x", "", "$2-$1", "$name", "$1x"]);
        let pattern = self.0.of(&[
            "(.*)",
            "(.)(.*)",
            "(?P<name>[a-z]+).*",
            "api",
            "",
            ".+:(\\\\d)",
            "a{x}|(.*)",
        ]);
        format!(
            "label_replace({vector}, \"{target}\", \"{replacement}\", \"{source}\", \"{pattern}\")"
        )
    }

    fn date(&mut self, depth: usize) -> String {
        let function = self.word(DATE);
        match self.0.below(4) {
            0 => format!("{function}()"),
            1 => format!("{function}(vector({}))", self.scalar(1)),
            2 => format!("{function}({})", self.vector(depth - 1)),
            _ => format!("{function}(birth_seconds)"),
        }
    }

    fn special(&mut self, depth: usize) -> String {
        let vector = self.vector(depth - 1);
        let (a, b) = (self.scalar(1), self.scalar(1));
        match self.0.below(10) {
            0 => format!("absent({vector})"),
            1 => format!("clamp({vector}, {a}, {b})"),
            2 => format!("clamp_min({vector}, {a})"),
            3 => format!("clamp_max({vector}, {a})"),
            4 => format!("round({vector}, {a})"),
            5 => format!("vector({a})"),
            6 => "absent(nothing{job=\"api\",code=~\"2..\",path=\"/\"})".to_owned(),
            // Not both at once: with them, Prometheus ignores the offset and selects nothing.
            7 => {
                let moved =
                    self.0.of(&["", " offset 1m", " offset -30s", " @ end()", " @ 1700000500.5"]);
                format!("timestamp({}{moved})", self.0.of(&SELECTORS))
            }
            8 => format!("timestamp(({vector}) + 0)"),
            _ => format!("count({vector}) or vector({a})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Prometheus has without a feature flag, apart from what is for native histograms alone.
    const ALL: &str = "abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp \
        clamp_max clamp_min cos cosh count_over_time days_in_month day_of_month day_of_week day_of_year deg delta deriv exp \
        first_over_time floor histogram_fraction histogram_quantile hour idelta increase irate label_replace label_join \
        last_over_time ln log10 log2 max_over_time min_over_time minute month pi predict_linear present_over_time \
        quantile_over_time rad rate resets round scalar sgn sin sinh sort sort_desc sqrt stddev_over_time stdvar_over_time \
        sum_over_time tan tanh time timestamp vector year bottomk count_values quantile topk sum avg min max count group \
        stddev stdvar";

    #[test]
    fn every_function_aggregation_operator_and_modifier_is_generated() {
        let mut grammar = Grammar::new(7);
        let all: Vec<_> = (0..1200).map(|_| grammar.expression()).collect();
        let has = |text: &str| all.iter().any(|one| one.contains(text));
        for name in ALL.split_whitespace() {
            let forms = [format!("{name}("), format!("{name} by"), format!("{name} without")];
            assert!(forms.iter().any(|form| has(form)), "{name} is missing");
        }
        for operator in [ARITHMETIC, COMPARISON, SETS].iter().flat_map(|all| all.split(' ')) {
            assert!(has(&format!(" {operator} ")), "{operator} is missing");
        }
        for modifier in [
            " bool ",
            " on(",
            " ignoring(",
            " group_left",
            " group_right",
            " offset ",
            " offset -",
            " @ ",
            "m:",
        ] {
            assert!(has(modifier), "{modifier} is missing");
        }
    }
}
