//! Calls of functions.

use promql_parser::{
    label::{MatchOp, Matchers},
    parser::{Call as Parsed, Expr, value::ValueType},
};

use super::{Compiler, matchers, string};
use crate::{
    Error, Labels, METRIC_NAME,
    columns::ABSENT,
    functions::{date::date, labels, math, range::range},
    plan::{Call, Histogram, Node},
};

/// Functions that read only native histograms.
const OF_NATIVE_HISTOGRAMS: [&str; 5] =
    ["histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum"];

impl Compiler {
    pub(super) fn call(self, call: &Parsed) -> Result<Node, Error> {
        let name = call.func.name;
        if call.func.experimental {
            let text = format!("the function {name}, which is experimental in Prometheus,");
            return Err(Error::Unsupported(text));
        }
        if OF_NATIVE_HISTOGRAMS.contains(&name) {
            let text = format!("the function {name}, which reads native histograms,");
            return Err(Error::Unsupported(text));
        }
        let args: Vec<&Expr> = call.args.args.iter().map(|arg| &**arg).collect();
        let compiled = match name {
            "pi" => return Ok(Node::Number(std::f64::consts::PI)),
            "absent_over_time" => self.absent_over_time(&args)?,
            _ if args.iter().any(|arg| arg.value_type() == ValueType::Matrix) => {
                self.of_range(name, &args)?
            }
            _ => self.of_vector(name, &args)?,
        };
        Ok(Node::Call(Box::new(compiled)))
    }

    fn of_range(self, name: &str, args: &[&Expr]) -> Result<Call, Error> {
        let function = range(name).ok_or_else(|| unknown(name))?;
        let is_range = |arg: &&&Expr| arg.value_type() == ValueType::Matrix;
        let window = args.iter().find(is_range).ok_or_else(|| wrong_count(name))?;
        let scalars = args.iter().filter(|arg| !is_range(arg));
        let args = scalars.map(|arg| self.scalar(arg)).collect::<Result<_, _>>()?;
        Ok(Call::Range { function, window: self.window(window)?, args })
    }

    fn of_vector(self, name: &str, args: &[&Expr]) -> Result<Call, Error> {
        if let Some(function) = date(name) {
            let vector = args.first().map(|arg| self.vector(arg)).transpose()?;
            return Ok(Call::Date { function, vector });
        }
        if let Some(function) = math::math(name) {
            let (vector, args) = args.split_first().ok_or_else(|| wrong_count(name))?;
            let function = if name == "clamp" { clamp } else { function };
            let args = args.iter().map(|arg| self.scalar(arg)).collect::<Result<_, _>>()?;
            return Ok(Call::Math { function, vector: self.vector(vector)?, args });
        }
        Ok(match (name, args) {
            ("time", []) => Call::Time,
            ("scalar", [vector]) => Call::Scalar(self.vector(vector)?),
            ("vector", [scalar]) => Call::Vector(self.scalar(scalar)?),
            ("timestamp", [vector]) => Call::Timestamp(self.vector(vector)?),
            ("absent", [vector]) => {
                Call::Absent { vector: self.vector(vector)?, labels: absent_labels(vector)? }
            }
            ("sort", [vector]) => Call::Sort { vector: self.vector(vector)?, descending: false },
            ("sort_desc", [vector]) => {
                Call::Sort { vector: self.vector(vector)?, descending: true }
            }
            ("histogram_quantile", [q, buckets]) => Call::Histogram {
                computes: Histogram::Quantile(self.scalar(q)?),
                buckets: self.vector(buckets)?,
            },
            ("histogram_fraction", [lower, upper, buckets]) => Call::Histogram {
                computes: Histogram::Fraction(self.scalar(lower)?, self.scalar(upper)?),
                buckets: self.vector(buckets)?,
            },
            ("label_replace", [vector, target, replacement, source, pattern]) => {
                let [target, replacement] = [string(target)?, string(replacement)?];
                let [source, pattern] = [string(source)?, string(pattern)?];
                let replace = labels::Replace::new(target, replacement, source, pattern)?;
                Call::LabelReplace { vector: self.vector(vector)?, replace }
            }
            ("label_join", [vector, target, separator, sources @ ..]) => {
                let sources: Vec<_> =
                    sources.iter().map(|source| string(source)).collect::<Result<_, _>>()?;
                let join = labels::Join::new(string(target)?, string(separator)?, &sources)?;
                Call::LabelJoin { vector: self.vector(vector)?, join }
            }
            _ => return Err(unknown(name)),
        })
    }

    fn absent_over_time(self, args: &[&Expr]) -> Result<Call, Error> {
        let [window] = args else { return Err(wrong_count("absent_over_time")) };
        Ok(Call::AbsentOverTime { window: self.window(window)?, labels: absent_labels(window)? })
    }
}

/// No value if the bounds are the wrong way round.
fn clamp(value: f64, args: &[f64]) -> f64 {
    match args {
        [min, max] if min > max => ABSENT,
        [min, max] => math::clamp(value, *min, *max),
        _ => f64::NAN,
    }
}

/// The labels of `absent`: what the conditions of a selector demand.
fn absent_labels(expression: &Expr) -> Result<Labels, Error> {
    let mut inner = expression;
    while let Expr::Paren(paren) = inner {
        inner = &paren.expr;
    }
    match inner {
        Expr::VectorSelector(selector) => Ok(demanded(&matchers(selector)?)),
        Expr::MatrixSelector(selector) => Ok(demanded(&matchers(&selector.vs)?)),
        _ => Ok(Labels::empty()),
    }
}

/// The labels with exactly one condition for equality; one that has other conditions after that has none, as in Prometheus.
fn demanded(matchers: &Matchers) -> Labels {
    let mut labels = Labels::empty();
    let mut demanded: Vec<&str> = Vec::new();
    for matcher in matchers.matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        let is_first = !demanded.contains(&matcher.name.as_str());
        if matches!(matcher.op, MatchOp::Equal) && is_first {
            labels = labels.with(&matcher.name, &matcher.value);
            demanded.push(&matcher.name);
        } else {
            labels = labels.with(&matcher.name, "");
        }
    }
    labels
}

fn unknown(name: &str) -> Error {
    Error::Unsupported(format!("the function {name}"))
}

fn wrong_count(name: &str) -> Error {
    Error::Parse(format!("wrong number of arguments in call to '{name}'"))
}
