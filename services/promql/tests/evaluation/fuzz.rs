//! Arbitrary texts: no panic, and whatever is parsed is evaluated or refused.

use promql::{Error, Options, Query, Range};

use crate::{MINUTE, Series};

/// Words of the language, and of its mistakes.
const WORDS: &str = r#"
x y{n="1"} {__name__=~".+"} 1 0 -1 1e300 -Inf NaN 0x1f 1m "s" 'n' `raw` ( ) [5m] [5m:1m] [1m:] [0] [1e300] , { } =~ "(" + - * / % ^
atan2 == != < <= > >= bool and or unless on ( n ) ignoring () group_left (n) group_right () offset 5m offset -1h @ 60 @ start() @ end() @ -1e18
sum avg min max count group stddev stdvar topk( bottomk( quantile( count_values( by (n) without (n) rate( increase( sum_over_time(
quantile_over_time( absent( absent_over_time( label_replace( label_join( histogram_quantile( histogram_fraction( clamp( round( sort( vector(
scalar( timestamp( time() pi() hour( predict_linear( # fill(0) \ é 9y 99999999999999999999 1_0 0e5 .5 . .. $ ;
"#;

/// A generator of numbers: George Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn evaluate(series: &Series, text: &str) -> bool {
    let options = Options { max_samples: 100_000, max_steps: 100, ..Options::default() };
    let Ok(query) = Query::parse(text) else { return false };
    let range = Range { start_ms: -MINUTE, end_ms: 10 * MINUTE, step_ms: 90_000 };
    for result in [
        query.instant(&series.0, 5 * MINUTE, &options).map(|_| ()),
        query.range(&series.0, range, &options).map(|_| ()),
    ] {
        let expected = matches!(result, Ok(()) | Err(Error::Execution(_) | Error::Limit(_)));
        let not_a_value =
            matches!(&result, Err(Error::Parse(text)) if text.contains("for range query"));
        assert!(expected || not_a_value, "{text}: {result:?}");
        if let Err(Error::Execution(error)) = result {
            assert!(!error.contains("expected an expression of type"), "{text}: {error}");
        }
    }
    true
}

fn series() -> Series {
    Series::new(
        r#"
        x 0+1x10
        x{n="1"} 1 NaN Inf -Inf stale 0 5 3 _ _ 1
        y{n="1"} 5 4 3 2 1 0 0 1e308 1e308 -1e308
        y{n="2",le="1"} _ 1
        y{n="2",le="+Inf"} _ 3 3 3 3 3
        "#,
    )
}

#[test]
fn arbitrary_words_never_panic() {
    let (series, mut random) = (series(), Random(0x9e37_79b9_7f4a_7c15));
    let words: Vec<_> = WORDS.split_whitespace().collect();
    for _ in 0..8_000 {
        let text: Vec<_> =
            (0..=random.below(9)).map(|_| words[random.below(words.len())]).collect();
        evaluate(&series, &text.join(" "));
    }
}

#[test]
fn damaged_queries_never_panic() {
    let (series, mut random) = (series(), Random(0x2545_f491_4f6c_dd1d));
    let queries = [
        r#"sum by (n) (rate(x{n="1"}[5m:1m] offset 1m)) / on (n) group_left (le) y @ end()"#,
        r#"histogram_quantile(0.9, sum without (n) (y)) or label_replace(x, "a", "$1", "n", "(.*)")"#,
        r#"topk(2, quantile_over_time(0.5, x[3m])) > bool -1.5e-1 unless absent(y{le!~"1|2"})"#,
    ];
    let mut parsed = 0;
    for _ in 0..5_000 {
        let mut text: Vec<char> = queries[random.below(queries.len())].chars().collect();
        for _ in 0..=random.below(3) {
            let (from, to) = (random.below(text.len()), random.below(text.len()));
            match random.below(3) {
                0 => drop(text.remove(from)),
                1 => text.insert(from, text[to]),
                _ => text.swap(from, to),
            }
        }
        parsed += usize::from(evaluate(&series, &text.iter().collect::<String>()));
    }
    assert!(parsed > 250, "{parsed} of 5,000 texts are queries: too few to say anything");
}
