//! Templates of labels and annotations: the part of Go's [text/template](https://pkg.go.dev/text/template) that rule files use,
//! with Prometheus' functions.
//!
//! ```text
//!  text ─▶ lexer ─▶ parser ─▶ tree ─▶ execute, functions ─▶ text
//! ```

mod execute;
mod functions;
mod go;
mod humanize;
mod lexer;
mod parser;
mod printf;
mod value;

use promql::Labels;

/// The maximum length of a template.
const MAX_TEMPLATE: usize = 16 << 10;

/// Results of a query in a template.
pub(crate) type Results = Result<Vec<(Labels, f64)>, String>;

/// A template that was parsed.
#[derive(Debug)]
pub(crate) struct Template(Vec<parser::Node>);

/// What a template can read.
pub(crate) struct Data<'a> {
    /// `$labels`, also with the name of the metric.
    pub(crate) labels: &'a Labels,
    /// `$value`
    pub(crate) value: f64,
    /// `$externalLabels`
    pub(crate) external_labels: &'a Labels,
    /// `$externalURL`
    pub(crate) external_url: &'a str,
    /// `now`
    pub(crate) now_ms: i64,
    /// `query`
    pub(crate) query: &'a dyn Fn(&str) -> Results,
}

impl Template {
    /// Parses a template; what is not supported is refused by name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let length = text.len();
        if length > MAX_TEMPLATE {
            return Err(format!(
                "the template has {length} bytes; at most {MAX_TEMPLATE} are allowed"
            ));
        }
        parser::parse(lexer::pieces(text)?).map(Self)
    }

    /// The text for one alert.
    pub(crate) fn expand(&self, data: &Data<'_>) -> Result<String, String> {
        execute::expand(&self.0, data)
    }
}

#[cfg(test)]
mod tests;
