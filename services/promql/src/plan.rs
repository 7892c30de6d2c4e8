//! A query as it is evaluated: names are resolved, whatever is not supported was refused.

use promql_parser::label::Matchers;

use crate::{
    Labels,
    functions::{date::Date, labels as rewrite, math::Math, window::RangeFunction},
};

/// The longest duration in a query, and the greatest distance of a moment from the Unix epoch: so far, dates in JavaScript reach.
/// Sums of some hundred of them do not overflow.
pub(crate) const MAX_DURATION_MS: i64 = 8_640_000_000_000_000;

/// A query.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    Value(Node),
    /// Samples of a range.
    Range(Box<Window>),
    Text(String),
}

/// An expression that is a scalar or an instant vector.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Number(f64),
    Instant(Selector),
    Negate(Box<Node>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Box<Call>),
}

/// A moment that does not follow the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Start,
    End,
    Ms(i64),
}

/// How a selector shifts the steps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shift {
    pub(crate) at: Option<At>,
    pub(crate) offset_ms: i64,
}

/// The last samples of series.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    pub(crate) matchers: Matchers,
    pub(crate) shift: Shift,
}

/// The samples of series in a range before each step.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) source: Source,
    pub(crate) range_ms: i64,
    pub(crate) shift: Shift,
}

/// Where the samples of a range come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Series(Matchers),
    Subquery { expression: Node, step_ms: Option<i64> },
}

/// An operator between numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

/// An operator between sets of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetOperator {
    And,
    Or,
    Unless,
}

/// An operation with two operands.
#[derive(Clone, Debug)]
pub(crate) enum Binary {
    /// At least one operand is a scalar, or both are vectors.
    Numbers {
        operator: Operator,
        /// A comparison yields 0 or 1 instead of filtering.
        returns_bool: bool,
        left: Node,
        right: Node,
        matching: Matching,
    },
    Sets {
        operator: SetOperator,
        left: Node,
        right: Node,
        on: Grouping,
    },
}

/// Which series of two vectors belong together.
#[derive(Clone, Debug)]
pub(crate) struct Matching {
    pub(crate) on: Grouping,
    pub(crate) cardinality: Cardinality,
    /// Labels that the series with one match contributes.
    pub(crate) include: Vec<String>,
}

/// How many series of each side may belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cardinality {
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
}

/// Labels that distinguish groups.
#[derive(Clone, Debug)]
pub(crate) enum Grouping {
    /// `by`, `on`.
    By(Vec<String>),
    /// `without`, `ignoring`. The metric's name is never a part of a group.
    Without(Vec<String>),
}

/// An aggregation over series.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) operation: Operation,
    pub(crate) expression: Node,
    pub(crate) grouping: Grouping,
}

/// What an aggregation computes.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Fold(Fold),
    Quantile(Node),
    TopK(Node),
    BottomK(Node),
    CountValues(String),
}

/// An aggregation that needs one pass over the values of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    Sum,
    Average,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
}

/// A call of a function.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// A function of a range of samples, and its scalar arguments.
    Range {
        function: RangeFunction,
        window: Window,
        args: Vec<Node>,
    },
    AbsentOverTime {
        window: Window,
        labels: Labels,
    },
    /// A function of each value, and its scalar arguments.
    Math {
        function: Math,
        vector: Node,
        args: Vec<Node>,
    },
    Date {
        function: Date,
        vector: Option<Node>,
    },
    Absent {
        vector: Node,
        labels: Labels,
    },
    /// The moments of the samples themselves if the argument is a selector, otherwise of the steps.
    Timestamp(Node),
    Sort {
        vector: Node,
        descending: bool,
    },
    Scalar(Node),
    Vector(Node),
    Time,
    Histogram {
        computes: Histogram,
        buckets: Node,
    },
    LabelReplace {
        vector: Node,
        replace: rewrite::Replace,
    },
    LabelJoin {
        vector: Node,
        join: rewrite::Join,
    },
}

/// What is estimated from the buckets of a classic histogram.
#[derive(Clone, Debug)]
pub(crate) enum Histogram {
    Quantile(Node),
    /// The share of observations between two bounds.
    Fraction(Node, Node),
}
