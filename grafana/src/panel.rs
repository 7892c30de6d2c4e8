//! One panel: a title, questions, and what a bad answer means.

mod column;
mod model;
pub(crate) mod palette;

use serde_json::Value;

pub use column::Column;
pub use model::DATA_SOURCES;

/// Width of a dashboard, in Grafana's columns.
pub const COLUMNS: u8 = 24;

/// What a number is, as Grafana names it: <https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count, shortened when it is large.
    Count,
    /// A count, to the last digit.
    Whole,
    /// Seconds, scaled to what reads best.
    Seconds,
    /// Bytes, in powers of 1024.
    Bytes,
    /// Requests each second.
    Requests,
    /// Anything else each second.
    PerSecond,
    /// A share between 0 and 1.
    Share,
    /// A factor.
    Times,
    /// A moment, as how long ago it was.
    Since,
}

impl Unit {
    /// Where a scale ends at least, so that nothing but zeros does not look like much.
    pub(crate) fn least_scale(self) -> f64 {
        match self {
            Self::Count | Self::Whole | Self::Since => 5.0,
            Self::Seconds => 0.01,
            Self::Bytes => 1_048_576.0,
            Self::Requests | Self::PerSecond | Self::Times => 1.0,
            Self::Share => 0.05,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "short",
            Self::Whole => "locale",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::Requests => "reqps",
            Self::PerSecond => "suffix: /s",
            Self::Share => "percentunit",
            Self::Times => "none",
            Self::Since => "dateTimeFromNow",
        }
    }
}

/// How the answer is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines over time.
    Lines,
    /// Areas on top of each other: for what adds up.
    Stacked,
    /// One number, coloured, with a small line behind it.
    Stat,
    /// A bar for each series.
    Bars,
    /// Rows of labels and numbers, as they are now.
    Table,
    /// A histogram's buckets over time.
    Heatmap,
    /// Which state was when.
    States,
    /// Log lines.
    Logs,
    /// Traces that were found.
    Traces,
    /// Circles, and arrows between them.
    Graph,
    /// Words, in Markdown.
    Words,
}

/// Where an answer comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// PromQL.
    Prometheus {
        /// The query.
        query: String,
        /// Whether traces are shown beside the lines.
        exemplars: bool,
    },
    /// LogQL.
    Loki(String),
    /// Jaeger's search.
    Jaeger {
        /// Of which service.
        service: String,
        /// Which operation; any if it is empty.
        operation: String,
        /// As Jaeger reads it: `100ms`.
        longer_than: String,
    },
    /// Which services ask which, and how often, in the traces that Jaeger keeps.
    Dependencies,
}

/// A question, and how its series are called.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who is asked what.
    pub source: Source,
    /// The legend, with `{{label}}` in it.
    pub legend: String,
}

/// One panel of a dashboard.
#[derive(Clone, Debug)]
pub struct Panel {
    pub(crate) title: String,
    pub(crate) says: String,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) questions: Vec<Question>,
    pub(crate) width: u8,
    pub(crate) height: u8,
    pub(crate) thresholds: Vec<(f64, Colour)>,
    pub(crate) most: Option<f64>,
    pub(crate) colours: Vec<(String, Colour)>,
    pub(crate) words: Vec<(i64, &'static str, Colour)>,
    pub(crate) hidden: Vec<&'static str>,
    pub(crate) first: Vec<&'static str>,
    pub(crate) widths: Vec<(&'static str, u16)>,
    pub(crate) columns: Vec<Column>,
    pub(crate) logarithmic: bool,
    pub(crate) lines: Vec<(f64, Colour)>,
    pub(crate) named: bool,
    pub(crate) links: Vec<(String, String)>,
    pub(crate) decimals: Option<u8>,
    pub(crate) words_in_markdown: String,
    pub(crate) id: Option<usize>,
}

/// Colours with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// As it should be.
    Good,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Bad,
    /// Neither good nor bad.
    Neutral,
    /// Neither, and less important.
    Quiet,
    /// Neutral, and earlier.
    Pale,
    /// Neutral, and the first.
    Palest,
}

impl Colour {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Good => "green",
            Self::Warning => "orange",
            Self::Bad => "red",
            Self::Neutral => "blue",
            Self::Quiet => "#808080",
            Self::Pale => "light-blue",
            Self::Palest => "super-light-blue",
        }
    }
}

impl Panel {
    /// A panel that asks nothing yet. `says` tells what a bad value means and where to look next.
    pub fn new(kind: Kind, title: &str, says: &str) -> Self {
        let (width, height) = match kind {
            Kind::Stat => (4, 4),
            Kind::Logs | Kind::Traces => (COLUMNS, 9),
            Kind::Words => (COLUMNS, 12),
            _ => (8, 8),
        };
        Self {
            title: title.to_owned(),
            says: says.to_owned(),
            kind,
            unit: Unit::Count,
            questions: Vec::new(),
            width,
            height,
            thresholds: Vec::new(),
            most: None,
            colours: Vec::new(),
            words: Vec::new(),
            hidden: Vec::new(),
            first: Vec::new(),
            widths: Vec::new(),
            columns: Vec::new(),
            logarithmic: false,
            lines: Vec::new(),
            named: false,
            links: Vec::new(),
            decimals: None,
            words_in_markdown: String::new(),
            id: None,
        }
    }

    /// A panel that asks nothing, and tells.
    pub fn telling(title: &str, says: &str, markdown: &str) -> Self {
        Self { words_in_markdown: markdown.to_owned(), ..Self::new(Kind::Words, title, says) }
    }

    /// Asks Prometheus.
    #[must_use]
    pub fn ask(self, query: String, legend: &str) -> Self {
        self.question(Source::Prometheus { query, exemplars: false }, legend)
    }

    /// Asks Prometheus, and shows the traces behind the numbers.
    #[must_use]
    pub fn ask_with_traces(self, query: String, legend: &str) -> Self {
        self.question(Source::Prometheus { query, exemplars: true }, legend)
    }

    /// Asks anybody.
    #[must_use]
    pub fn question(mut self, source: Source, legend: &str) -> Self {
        self.questions.push(Question { source, legend: legend.to_owned() });
        self
    }

    /// What the numbers are.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Columns and rows of Grafana's grid that it takes.
    #[must_use]
    pub fn size(mut self, width: u8, height: u8) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// From which value on which colour; below the first it is good.
    #[must_use]
    pub fn thresholds(mut self, steps: &[(f64, Colour)]) -> Self {
        self.thresholds = steps.to_vec();
        self
    }

    /// The end of the scale.
    #[must_use]
    pub fn most(mut self, most: f64) -> Self {
        self.most = Some(most);
        self
    }

    /// A series that always has the same colour.
    #[must_use]
    pub fn colour(mut self, series: &str, colour: Colour) -> Self {
        self.colours.push((series.to_owned(), colour));
        self
    }

    /// A number that is shown as a word.
    #[must_use]
    pub fn word(mut self, value: i64, word: &'static str, colour: Colour) -> Self {
        self.words.push((value, word, colour));
        self
    }

    /// Columns of a table that say nothing.
    #[must_use]
    pub fn without(mut self, columns: &[&'static str]) -> Self {
        self.hidden.extend_from_slice(columns);
        self
    }

    /// Columns of a table that come before the others, in this order.
    #[must_use]
    pub fn first(mut self, columns: &[&'static str]) -> Self {
        self.first.extend_from_slice(columns);
        self
    }

    /// Columns of a table that are as wide as this, in pixels; the others share the rest.
    #[must_use]
    pub fn widths(mut self, columns: &[(&'static str, u16)]) -> Self {
        self.widths.extend_from_slice(columns);
        self
    }

    /// How a column of a table is shown.
    #[must_use]
    pub fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// A logarithmic axis: what takes a millisecond and what takes seconds are both to be seen.
    #[must_use]
    pub fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// A dashed line at a value: a promise, or a limit.
    #[must_use]
    pub fn line(mut self, value: f64, colour: Colour) -> Self {
        self.lines.push((value, colour));
        self
    }

    /// A stat that says which series there are, rather than their values.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.named = true;
        self
    }

    /// Where a click on a series leads; `${__field.labels.service}` is the series' label.
    #[must_use]
    pub fn link(mut self, title: &str, url: &str) -> Self {
        self.links.push((title.to_owned(), url.to_owned()));
        self
    }

    /// Digits after the point.
    #[must_use]
    pub fn decimals(mut self, decimals: u8) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// The number that links to this panel have, wherever it stands.
    #[must_use]
    pub fn known_as(mut self, id: usize) -> Self {
        self.id = Some(id);
        self
    }

    /// Whether its series are called by the services that they are of.
    pub(crate) fn is_by_service(&self) -> bool {
        let named = ["{{service}}", "{{group}}", "{{messaging_consumer_group_name}}"];
        self.questions.iter().any(|one| named.iter().any(|label| one.legend.contains(label)))
    }

    /// The panel as Grafana reads it, at a place.
    pub(crate) fn to_json(&self, id: usize, x: u8, y: usize) -> Value {
        model::panel(self, self.id.unwrap_or(id), x, y)
    }
}
