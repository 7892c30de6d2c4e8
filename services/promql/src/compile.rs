//! From parsed text to a plan: resolves names, and refuses what is not supported.

mod call;
mod guard;
mod operator;

use std::time::{Duration, SystemTime};

use promql_parser::{
    label::{MatchOp, Matcher, Matchers},
    parser::{
        AggregateExpr, AtModifier, Expr, LabelModifier, Offset, SubqueryExpr, VectorSelector,
        token, value::ValueType,
    },
};

use crate::{
    Error, METRIC_NAME,
    plan::{
        Aggregate, At, Fold, Grouping, MAX_DURATION_MS, Node, Operation, Plan, Selector, Shift,
        Source, Window,
    },
};

/// Deeper expressions are refused: evaluation is recursive, and a thread's stack is small.
const MAX_DEPTH: usize = 100;

/// So much of a text is shown in an error.
const SHOWN: usize = 200;

/// Parses a query.
///
/// # Errors
/// [`Error::Parse`], [`Error::Unsupported`], and [`Error::Limit`] for a text that is too long or too deep.
pub(crate) fn parse(text: &str) -> Result<(Expr, Plan), Error> {
    guard::check(text)?;
    let parsed = promql_parser::parser::parse(&guard::without_zero_offsets(text));
    let expression = parsed.map_err(|cause| not_promql(text, cause))?;
    let plan = Compiler { depth: 0 }.plan(&expression)?;
    Ok((expression, plan))
}

/// The parser says no more than this of most mistakes, so the text must be part of the message.
fn not_promql(text: &str, cause: String) -> Error {
    if cause != "invalid promql query" {
        return Error::Parse(cause);
    }
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    Error::Parse(format!("not a PromQL expression: {shown}{more}"))
}

#[derive(Clone, Copy)]
struct Compiler {
    depth: usize,
}

impl Compiler {
    fn deeper(self) -> Result<Self, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::Limit(format!(
                "the query is nested more than {MAX_DEPTH} levels deep: split it, for example by recording rules"
            )));
        }
        Ok(Self { depth: self.depth + 1 })
    }

    fn plan(self, expression: &Expr) -> Result<Plan, Error> {
        match expression {
            Expr::Paren(paren) => self.deeper()?.plan(&paren.expr),
            Expr::StringLiteral(text) => Ok(Plan::Text(text.val.clone())),
            expression if expression.value_type() == ValueType::Matrix => {
                Ok(Plan::Range(Box::new(self.window(expression)?)))
            }
            expression => self.node(expression).map(Plan::Value),
        }
    }

    fn node(self, expression: &Expr) -> Result<Node, Error> {
        let inner = self.deeper()?;
        match expression {
            Expr::Paren(paren) => inner.node(&paren.expr),
            Expr::NumberLiteral(number) => Ok(Node::Number(number.val)),
            Expr::VectorSelector(selector) => Ok(Node::Instant(Selector {
                matchers: matchers(selector)?,
                shift: shift(selector.at.as_ref(), selector.offset.as_ref())?,
            })),
            Expr::Unary(unary) => Ok(Node::Negate(Box::new(inner.node(&unary.expr)?))),
            Expr::Binary(binary) => Ok(Node::Binary(Box::new(inner.binary(binary)?))),
            Expr::Aggregate(aggregate) => {
                Ok(Node::Aggregate(Box::new(inner.aggregate(aggregate)?)))
            }
            Expr::Call(call) => inner.call(call),
            Expr::MatrixSelector(_) | Expr::Subquery(_) => {
                Err(mismatch("an instant vector", expression))
            }
            Expr::StringLiteral(_) => Err(mismatch("a scalar or an instant vector", expression)),
            Expr::Extension(_) => Err(Error::Unsupported("an extension of the syntax".to_owned())),
        }
    }

    /// An expression that must be a scalar.
    fn scalar(self, expression: &Expr) -> Result<Node, Error> {
        match expression.value_type() {
            ValueType::Scalar => self.node(expression),
            _ => Err(mismatch("a scalar", expression)),
        }
    }

    /// An expression that must be an instant vector.
    fn vector(self, expression: &Expr) -> Result<Node, Error> {
        match expression.value_type() {
            ValueType::Vector => self.node(expression),
            _ => Err(mismatch("an instant vector", expression)),
        }
    }

    /// An expression that must be a range of samples.
    fn window(self, expression: &Expr) -> Result<Window, Error> {
        let inner = self.deeper()?;
        match expression {
            Expr::Paren(paren) => inner.window(&paren.expr),
            Expr::MatrixSelector(selector) => Ok(Window {
                source: Source::Series(matchers(&selector.vs)?),
                range_ms: length(selector.range)?,
                shift: shift(selector.vs.at.as_ref(), selector.vs.offset.as_ref())?,
            }),
            Expr::Subquery(subquery) => inner.subquery(subquery),
            expression => Err(mismatch("a range vector", expression)),
        }
    }

    fn subquery(self, subquery: &SubqueryExpr) -> Result<Window, Error> {
        let expression = self.vector(&subquery.expr)?;
        let step_ms = subquery.step.map(length).transpose()?;
        Ok(Window {
            source: Source::Subquery { expression, step_ms },
            range_ms: length(subquery.range)?,
            shift: shift(subquery.at.as_ref(), subquery.offset.as_ref())?,
        })
    }

    fn aggregate(self, aggregate: &AggregateExpr) -> Result<Aggregate, Error> {
        let parameter = || {
            let missing = || Error::Parse(format!("{} needs a parameter", aggregate.op));
            aggregate.param.as_deref().ok_or_else(missing)
        };
        let operation = match aggregate.op.id() {
            token::T_SUM => Operation::Fold(Fold::Sum),
            token::T_AVG => Operation::Fold(Fold::Average),
            token::T_MIN => Operation::Fold(Fold::Min),
            token::T_MAX => Operation::Fold(Fold::Max),
            token::T_COUNT => Operation::Fold(Fold::Count),
            token::T_GROUP => Operation::Fold(Fold::Group),
            token::T_STDDEV => Operation::Fold(Fold::Stddev),
            token::T_STDVAR => Operation::Fold(Fold::Stdvar),
            token::T_QUANTILE => Operation::Quantile(self.scalar(parameter()?)?),
            token::T_TOPK => Operation::TopK(self.scalar(parameter()?)?),
            token::T_BOTTOMK => Operation::BottomK(self.scalar(parameter()?)?),
            token::T_COUNT_VALUES => match string(parameter()?)? {
                "" => return Err(Error::Execution("invalid label name \"\"".to_owned())),
                label => Operation::CountValues(label.to_owned()),
            },
            _ => {
                let text = format!(
                    "the aggregation {}, which is experimental in Prometheus,",
                    aggregate.op
                );
                return Err(Error::Unsupported(text));
            }
        };
        let grouping = match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
            Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
            None => Grouping::By(Vec::new()),
        };
        Ok(Aggregate { operation, expression: self.vector(&aggregate.expr)?, grouping })
    }
}

/// A text in quotes, also in parentheses.
fn string(expression: &Expr) -> Result<&str, Error> {
    let mut inner = expression;
    while let Expr::Paren(paren) = inner {
        inner = &paren.expr;
    }
    match inner {
        Expr::StringLiteral(text) => Ok(&text.val),
        _ => Err(mismatch("a string", expression)),
    }
}

fn mismatch(expected: &str, expression: &Expr) -> Error {
    Error::Parse(format!("expected {expected}, got {}: {expression}", expression.value_type()))
}

/// The conditions of a selector; the name before its braces is one of them.
fn matchers(selector: &VectorSelector) -> Result<Matchers, Error> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err(Error::Unsupported("`or` between the labels of a selector".to_owned()));
    }
    let mut all = selector.matchers.clone();
    if let Some(name) = &selector.name {
        all.matchers.push(Matcher::new(MatchOp::Equal, METRIC_NAME, name));
    }
    Ok(all)
}

fn shift(at: Option<&AtModifier>, offset: Option<&Offset>) -> Result<Shift, Error> {
    let at = at.map(|at| match at {
        AtModifier::Start => Ok(At::Start),
        AtModifier::End => Ok(At::End),
        AtModifier::At(time) => match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => milliseconds(after).map(At::Ms),
            Err(before) => milliseconds(before.duration()).map(|before| At::Ms(-before)),
        },
    });
    let offset_ms = match offset {
        None => 0,
        Some(Offset::Pos(duration)) => milliseconds(*duration)?,
        Some(Offset::Neg(duration)) => -milliseconds(*duration)?,
    };
    Ok(Shift { at: at.transpose()?, offset_ms })
}

/// The length of a range or a step.
fn length(duration: Duration) -> Result<i64, Error> {
    match milliseconds(duration)? {
        0 => Err(Error::Parse("duration must be greater than 0".to_owned())),
        length => Ok(length),
    }
}

fn milliseconds(duration: Duration) -> Result<i64, Error> {
    let too_long = || Error::Parse("duration out of range".to_owned());
    let milliseconds = i64::try_from(duration.as_millis()).map_err(|_| too_long())?;
    if milliseconds > MAX_DURATION_MS { Err(too_long()) } else { Ok(milliseconds) }
}
