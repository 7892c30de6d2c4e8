//! The values that a template works with.

use std::{fmt, sync::Arc};

use promql::Labels;
use regex::{Regex, RegexBuilder};

use super::go;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// Go's `int`
    Int(i64),
    /// Go's `float64`
    Float(f64),
    /// A string.
    Text(Arc<str>),
    /// A regular expression that was a string literal, compiled once.
    Pattern(Pattern),
    /// Labels.
    Labels(Labels),
    /// A sample of a query.
    Sample(Arc<(Labels, f64)>),
    /// The results of a query.
    Samples(Arc<[(Labels, f64)]>),
    /// `.` at the beginning: it has the fields `Labels`, `ExternalLabels`, `ExternalURL` and `Value`.
    Root,
}

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Arc<Regex>);

/// The maximum size of a compiled regular expression: those of rules need a hundredth.
const MAX_PATTERN: usize = 1 << 20;

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text).size_limit(MAX_PATTERN).build();
        let regex = regex.map_err(|error| format!("regular expression {text:?}: {error}"))?;
        Ok(Self(Arc::new(regex)))
    }

    pub(super) fn regex(&self) -> &Regex {
        &self.0
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl Value {
    /// The name of its type in Go, or what it is.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) | Self::Pattern(_) => "string",
            Self::Labels(_) => "map[string]string",
            Self::Sample(_) => "a sample",
            Self::Samples(_) => "results of a query",
            Self::Root => "the data of an alert",
        }
    }

    /// Whether `if` takes it for true: all but zero and what is empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Samples(samples) => !samples.is_empty(),
            Self::Sample(_) | Self::Pattern(_) | Self::Root => true,
        }
    }

    /// A string; nothing else becomes one by itself.
    pub(super) fn as_text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(format!("expected string; got {}", other.kind())),
        }
    }

    /// A regular expression.
    pub(super) fn as_pattern(&self) -> Result<Pattern, String> {
        match self {
            Self::Pattern(pattern) => Ok(pattern.clone()),
            other => Pattern::new(other.as_text()?),
        }
    }

    /// A number, also one in a string.
    pub(super) fn as_number(&self) -> Result<f64, String> {
        match self {
            Self::Float(number) => Ok(*number),
            Self::Int(number) => Ok(*number as f64),
            Self::Text(text) => text.parse().map_err(|_| format!("{text:?} is no number")),
            other => Err(format!("can't convert {} to float", other.kind())),
        }
    }

    pub(super) fn as_samples(&self) -> Result<&[(Labels, f64)], String> {
        match self {
            Self::Samples(samples) => Ok(samples),
            other => Err(format!("expected results of a query; got {}", other.kind())),
        }
    }

    pub(super) fn as_sample(&self) -> Result<&(Labels, f64), String> {
        match self {
            Self::Sample(sample) => Ok(sample),
            other => Err(format!("expected a sample; got {}", other.kind())),
        }
    }
}

impl fmt::Display for Value {
    /// As Go's `%v` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = |labels: &Labels| {
            let pairs: Vec<_> =
                labels.iter().map(|(name, value)| format!("{name}:{value}")).collect();
            format!("map[{}]", pairs.join(" "))
        };
        let sample = |(own, value): &(Labels, f64)| {
            format!("{{{} {}}}", labels(own), go::float(*value, 'g', None))
        };
        match self {
            Self::Nil => f.write_str("<no value>"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&go::float(*value, 'g', None)),
            Self::Text(text) => f.write_str(text),
            Self::Pattern(pattern) => f.write_str(pattern.0.as_str()),
            Self::Labels(own) => f.write_str(&labels(own)),
            Self::Sample(own) => f.write_str(&sample(own)),
            Self::Samples(samples) => {
                let samples: Vec<_> = samples.iter().map(sample).collect();
                write!(f, "[{}]", samples.join(" "))
            }
            Self::Root => f.write_str("the data of an alert"),
        }
    }
}
