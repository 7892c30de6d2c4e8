//! One panel: its title, its queries, and what a bad value means.

mod column;
mod model;
pub(crate) mod palette;

use serde_json::Value;

pub use column::Column;
pub use model::DATA_SOURCES;

/// Width of a dashboard, in Grafana's columns.
pub const COLUMNS: u8 = 24;

/// The unit of a number, as Grafana names it:
/// <https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count, shortened when it is large.
    Count,
    /// A count with all its digits.
    Whole,
    /// Seconds, scaled to the unit that reads best.
    Seconds,
    /// Bytes, in powers of 1024.
    Bytes,
    /// Requests per second.
    Requests,
    /// Any other events per second.
    PerSecond,
    /// A share between 0 and 1.
    Share,
    /// A factor.
    Times,
    /// A moment, shown as the time since then.
    Since,
}

impl Unit {
    /// The smallest upper end of the axis, so that noise around zero does not look large.
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

/// The visualization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines over time.
    Lines,
    /// Areas on top of each other, for series that add up.
    Stacked,
    /// One number, coloured, with a sparkline behind it.
    Stat,
    /// A bar for each series.
    Bars,
    /// Rows of labels and current values.
    Table,
    /// A histogram's buckets over time.
    Heatmap,
    /// The state at each time.
    States,
    /// Log lines.
    Logs,
    /// A list of traces.
    Traces,
    /// A graph of nodes and edges.
    Graph,
    /// Text, in Markdown.
    Words,
}

/// The data source, and the query for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// PromQL.
    Prometheus {
        /// The query.
        query: String,
        /// Whether exemplars (links to traces) are shown beside the lines.
        exemplars: bool,
    },
    /// LogQL.
    Loki(String),
    /// A search in Jaeger.
    Jaeger {
        /// The service whose traces are searched.
        service: String,
        /// The operation; empty for any.
        operation: String,
        /// The minimum duration, in Jaeger's notation: `100ms`.
        longer_than: String,
    },
    /// The graph of calls between services, from the traces that Jaeger keeps.
    Dependencies,
}

/// A query, and the legend of its series.
#[derive(Clone, Debug)]
pub struct Question {
    /// The data source and the query.
    pub source: Source,
    /// The legend; `{{label}}` stands for the value of a label.
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
    /// Healthy.
    Good,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Bad,
    /// Neither good nor bad.
    Neutral,
    /// Neutral, and less important.
    Quiet,
    /// Neutral, for an earlier step of a sequence.
    Pale,
    /// Neutral, for the first step of a sequence.
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
    /// A panel without queries. `says` is its description: what a bad value means and where to look next.
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

    /// A panel without queries that shows text.
    pub fn telling(title: &str, says: &str, markdown: &str) -> Self {
        Self { words_in_markdown: markdown.to_owned(), ..Self::new(Kind::Words, title, says) }
    }

    /// Adds a query to Prometheus.
    #[must_use]
    pub fn ask(self, query: String, legend: &str) -> Self {
        self.question(Source::Prometheus { query, exemplars: false }, legend)
    }

    /// Adds a query to Prometheus, with exemplars that link to traces.
    #[must_use]
    pub fn ask_with_traces(self, query: String, legend: &str) -> Self {
        self.question(Source::Prometheus { query, exemplars: true }, legend)
    }

    /// Adds a query to any data source.
    #[must_use]
    pub fn question(mut self, source: Source, legend: &str) -> Self {
        self.questions.push(Question { source, legend: legend.to_owned() });
        self
    }

    /// Sets the unit of the numbers.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Sets the width and the height, in columns and rows of Grafana's grid.
    #[must_use]
    pub fn size(mut self, width: u8, height: u8) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Sets thresholds: from each value on, the panel has this colour; below the first it is green.
    #[must_use]
    pub fn thresholds(mut self, steps: &[(f64, Colour)]) -> Self {
        self.thresholds = steps.to_vec();
        self
    }

    /// Sets the upper end of the scale.
    #[must_use]
    pub fn most(mut self, most: f64) -> Self {
        self.most = Some(most);
        self
    }

    /// Gives a series a fixed colour.
    #[must_use]
    pub fn colour(mut self, series: &str, colour: Colour) -> Self {
        self.colours.push((series.to_owned(), colour));
        self
    }

    /// Shows a value as a word.
    #[must_use]
    pub fn word(mut self, value: i64, word: &'static str, colour: Colour) -> Self {
        self.words.push((value, word, colour));
        self
    }

    /// Hides columns of a table.
    #[must_use]
    pub fn without(mut self, columns: &[&'static str]) -> Self {
        self.hidden.extend_from_slice(columns);
        self
    }

    /// Puts columns of a table before the others, in this order.
    #[must_use]
    pub fn first(mut self, columns: &[&'static str]) -> Self {
        self.first.extend_from_slice(columns);
        self
    }

    /// Sets the width of columns of a table, in pixels; the other columns share the rest.
    #[must_use]
    pub fn widths(mut self, columns: &[(&'static str, u16)]) -> Self {
        self.widths.extend_from_slice(columns);
        self
    }

    /// Sets how a column of a table is shown.
    #[must_use]
    pub fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// Makes the axis logarithmic: milliseconds and seconds are both visible.
    #[must_use]
    pub fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// Draws a dashed line at a value: an objective, or a limit.
    #[must_use]
    pub fn line(mut self, value: f64, colour: Colour) -> Self {
        self.lines.push((value, colour));
        self
    }

    /// Makes a stat show the names of its series, and `none` in place of those that a stat or a table does not have.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.named = true;
        self
    }

    /// Sets the link of a series; `${__field.labels.service}` is the value of its label `service`.
    #[must_use]
    pub fn link(mut self, title: &str, url: &str) -> Self {
        self.links.push((title.to_owned(), url.to_owned()));
        self
    }

    /// Sets the number of decimals.
    #[must_use]
    pub fn decimals(mut self, decimals: u8) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// Sets a fixed id, which links to this panel use, wherever it stands.
    #[must_use]
    pub fn known_as(mut self, id: usize) -> Self {
        self.id = Some(id);
        self
    }

    /// Whether the legend names the series by their service.
    pub(crate) fn is_by_service(&self) -> bool {
        let named = ["{{service}}", "{{group}}", "{{messaging_consumer_group_name}}"];
        self.questions.iter().any(|one| named.iter().any(|label| one.legend.contains(label)))
    }

    /// The panel as Grafana reads it, at a position.
    pub(crate) fn to_json(&self, id: usize, x: u8, y: usize) -> Value {
        model::panel(self, self.id.unwrap_or(id), x, y)
    }
}
