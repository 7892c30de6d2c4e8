//! A dashboard: rows of panels, variables, links, annotations; and the position of each panel.

use serde_json::{Value, json};

use crate::panel::{COLUMNS, Panel};

/// The schema version of Grafana 12. A newer Grafana migrates the model from it; an older version would be migrated at every
/// load.
const SCHEMA: u32 = 42;

/// One dashboard.
#[derive(Clone, Debug)]
pub struct Dashboard {
    uid: &'static str,
    title: &'static str,
    says: &'static str,
    variables: Vec<Variable>,
    rows: Vec<Row>,
}

/// Panels under one heading.
#[derive(Clone, Debug)]
pub struct Row {
    title: &'static str,
    panels: Vec<Panel>,
}

impl Row {
    /// A row: its title is a question, and its panels answer it.
    pub fn new(title: &'static str, panels: Vec<Panel>) -> Self {
        Self { title, panels }
    }
}

/// A variable: the reader chooses its value.
#[derive(Clone, Debug)]
pub struct Variable {
    name: &'static str,
    label: &'static str,
    values: String,
    several: bool,
    first: &'static str,
}

impl Variable {
    /// A variable with one value at a time; `first` is the initial choice.
    pub fn one(
        name: &'static str,
        label: &'static str,
        values: String,
        first: &'static str,
    ) -> Self {
        Self { name, label, values, several: false, first }
    }

    /// A variable with any number of values; all are chosen initially.
    pub fn any(name: &'static str, label: &'static str, values: String) -> Self {
        Self { name, label, values, several: true, first: "$__all" }
    }

    fn to_json(&self) -> Value {
        let text = if self.several { "All" } else { self.first };
        let (text, value) = match self.several {
            true => (json!([text]), json!([self.first])),
            false => (json!(text), json!(self.first)),
        };
        let mut model = json!({
            "type": "query", "name": self.name, "label": self.label,
            "datasource": { "type": "prometheus", "uid": "prometheus" },
            "query": { "qryType": 1, "query": self.values, "refId": "PrometheusVariableQueryEditor-VariableQuery" },
            "definition": self.values,
            "multi": self.several, "includeAll": self.several,
            "current": { "text": text, "value": value, "selected": true },
            // Reloaded on every change of the time range, so that a new service appears without a reload of the page.
            "refresh": 2, "sort": 1, "hide": 0, "skipUrlSync": false, "options": [],
        });
        if self.several {
            // "All" leaves out series without this label.
            model["allValue"] = json!(".+");
        }
        model
    }
}

impl Dashboard {
    /// An empty dashboard.
    pub fn new(uid: &'static str, title: &'static str, says: &'static str) -> Self {
        Self { uid, title, says, variables: Vec::new(), rows: Vec::new() }
    }

    /// Adds a variable.
    #[must_use]
    pub fn variable(mut self, variable: Variable) -> Self {
        self.variables.push(variable);
        self
    }

    /// Adds a row below the existing ones.
    #[must_use]
    pub fn row(mut self, title: &'static str, panels: Vec<Panel>) -> Self {
        self.rows.push(Row::new(title, panels));
        self
    }

    /// The uid, to which links point; it never changes.
    pub fn uid(&self) -> &str {
        self.uid
    }

    /// All panels, in reading order.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// The model as Grafana reads it, with a newline at its end.
    pub fn to_json(&self) -> String {
        let model = json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.says,
            "tags": ["glassmesh"],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": true,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": { "from": "now-15m", "to": "now" },
            "timepicker": { "refresh_intervals": ["5s", "10s", "30s", "1m", "5m"] },
            "timezone": "browser",
            "liveNow": false,
            "templating": { "list": self.variables.iter().map(Variable::to_json).collect::<Vec<_>>() },
            "annotations": { "list": annotations(self.uid) },
            "links": links(),
            "panels": self.placed(),
        });
        // A model of strings, numbers and lists always has a text form.
        format!("{model:#}\n")
    }

    /// Places panels from left to right, then down; each row of the dashboard begins on the left.
    fn placed(&self) -> Vec<Value> {
        let mut placed = Vec::new();
        let mut y = 0;
        for row in &self.rows {
            placed.push(json!({
                "id": placed.len() + 1, "type": "row", "title": row.title, "collapsed": false, "panels": [],
                "gridPos": { "h": 1, "w": COLUMNS, "x": 0, "y": y },
            }));
            y += 1;
            let (mut x, mut deepest) = (0, 0);
            for panel in &row.panels {
                if x + panel.width > COLUMNS {
                    y += deepest;
                    (x, deepest) = (0, 0);
                }
                placed.push(panel.to_json(placed.len() + 1, x, y));
                x += panel.width;
                deepest = deepest.max(usize::from(panel.height));
            }
            y += deepest;
        }
        placed
    }
}

/// The dashboards on which the marks of starts are shown. On the others they can be switched on.
const STARTS_HELP: [&str; 3] = ["mesh-overview", "mesh-service", "mesh-runtime"];

/// Annotations on every panel: starts as lines, pages as regions from their beginning to their end.
fn annotations(uid: &str) -> Value {
    let prometheus = json!({ "type": "prometheus", "uid": "prometheus" });
    let mark = |name: &str, colour: &str, expr: &str, title: &str, text: &str| {
        json!({
            "name": name, "enable": true, "hide": false, "iconColor": colour, "datasource": prometheus,
            "expr": expr, "step": "15s", "titleFormat": title, "textFormat": text, "useValueForTime": false,
        })
    };
    let mut starts =
        mark("Starts and deploys", "blue", crate::queries::STARTED, "{{service}} started", "");
    starts["useValueForTime"] = json!(true);
    starts["enable"] = json!(STARTS_HELP.contains(&uid));
    let alerts = mark("Pages", "red", crate::queries::FIRING, "{{alertname}}", "");
    json!([builtin(), starts, alerts])
}

/// The annotations that people write in Grafana itself.
fn builtin() -> Value {
    json!({
        "builtIn": 1, "name": "Annotations & Alerts", "type": "dashboard", "enable": true, "hide": true,
        "iconColor": "rgba(0, 211, 255, 1)", "datasource": { "type": "grafana", "uid": "-- Grafana --" },
    })
}

fn links() -> Value {
    let outside = |title: &str, url: &str, tooltip: &str| {
        json!({
            "type": "link", "title": title, "url": url, "tooltip": tooltip, "icon": "external link",
            "targetBlank": true, "asDropdown": false, "includeVars": false, "keepTime": false, "tags": [],
        })
    };
    json!([
        {
            "type": "dashboards", "title": "Dashboards", "tags": ["glassmesh"], "asDropdown": true, "icon": "dashboard",
            "includeVars": false, "keepTime": true, "targetBlank": false, "tooltip": "The others, for the same time", "url": "",
        },
        // Grafana puts its own path before a link that begins with a slash; `/..` leads out of it.
        outside("Jaeger", "/../jaeger/search", "Traces"),
        outside("Prometheus", "/../prometheus/query", "Ask your own questions"),
        outside("Runbooks", "/d/mesh-runbooks", "What each alert means, and what to do"),
    ])
}
