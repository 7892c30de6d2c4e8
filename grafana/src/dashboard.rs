//! A dashboard: rows of panels, variables, links, annotations; and where each panel stands.

use serde_json::{Value, json};

use crate::panel::{COLUMNS, Panel};

/// Grafana 12's own: newer ones are migrated from it, older ones would be on every load.
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
    /// A heading, which is a question, and the panels that answer it.
    pub fn new(title: &'static str, panels: Vec<Panel>) -> Self {
        Self { title, panels }
    }
}

/// What the reader may choose.
#[derive(Clone, Debug)]
pub struct Variable {
    name: &'static str,
    label: &'static str,
    values: String,
    several: bool,
    first: &'static str,
}

impl Variable {
    /// One of the values at a time; `first` is chosen to begin with.
    pub fn one(
        name: &'static str,
        label: &'static str,
        values: String,
        first: &'static str,
    ) -> Self {
        Self { name, label, values, several: false, first }
    }

    /// Any of the values, all to begin with.
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
            // On every change of the time range: a service that has just come is there without a reload.
            "refresh": 2, "sort": 1, "hide": 0, "skipUrlSync": false, "options": [],
        });
        if self.several {
            // What has no such label is none of them.
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

    /// Lets the reader choose.
    #[must_use]
    pub fn variable(mut self, variable: Variable) -> Self {
        self.variables.push(variable);
        self
    }

    /// Adds panels below those that are there.
    #[must_use]
    pub fn row(mut self, title: &'static str, panels: Vec<Panel>) -> Self {
        self.rows.push(Row::new(title, panels));
        self
    }

    /// What links point to; never changes.
    pub fn uid(&self) -> &str {
        self.uid
    }

    /// All panels, in reading order.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// The model as Grafana reads it, with a line's end at its end.
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
        // A model of strings, numbers and lists always has a text.
        format!("{model:#}\n")
    }

    /// Panels from left to right, then down; each row of the dashboard begins on the left.
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

/// Where starts explain what is seen. Elsewhere they can be switched on.
const STARTS_HELP: [&str; 3] = ["mesh-overview", "mesh-service", "mesh-runtime"];

/// What happened meanwhile, drawn into every panel: starts as lines, pages as regions from their beginning to their end.
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

/// What people write into Grafana themselves.
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
        // Grafana puts its own path before a link that begins with a slash; the first step leads out of it.
        outside("Jaeger", "/../jaeger/search", "Traces"),
        outside("Prometheus", "/../prometheus/query", "Ask your own questions"),
        outside("Runbooks", "/d/mesh-runbooks", "What each alert means, and what to do"),
    ])
}
