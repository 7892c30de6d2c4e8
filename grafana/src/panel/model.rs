//! The panel in Grafana's own model, schema version 42.

use serde_json::{Map, Value, json};

use super::{Colour, Column, Kind, Panel, Question, Source};
use crate::panel::palette;

/// Uid and type of each data source, as `provisioning/datasources/` names them.
pub const DATA_SOURCES: [&str; 3] = ["prometheus", "loki", "jaeger"];

pub(super) fn panel(panel: &Panel, id: usize, x: u8, y: usize) -> Value {
    let source = panel.questions.first().map_or(Value::Null, |first| source(&first.source));
    let targets: Vec<_> = panel
        .questions
        .iter()
        .enumerate()
        .map(|(index, question)| target(panel, question, index))
        .collect();
    let mut model = json!({
        "id": id,
        "type": plugin(panel.kind),
        "title": panel.title,
        "description": panel.says,
        "gridPos": { "h": panel.height, "w": panel.width, "x": x, "y": y },
        "datasource": source,
        "targets": targets,
        "fieldConfig": { "defaults": defaults(panel), "overrides": overrides(panel) },
        "options": options(panel),
    });
    if panel.kind == Kind::Words {
        // A text panel has no queries, and no numbers to colour.
        for field in ["datasource", "targets", "fieldConfig"] {
            model.as_object_mut().map(|model| model.remove(field));
        }
    }
    if matches!(panel.kind, Kind::Table | Kind::Traces) {
        model["transformations"] = transformations(panel);
    }
    model
}

fn plugin(kind: Kind) -> &'static str {
    match kind {
        Kind::Lines | Kind::Stacked => "timeseries",
        Kind::Stat => "stat",
        Kind::Bars => "bargauge",
        Kind::Table | Kind::Traces => "table",
        Kind::Graph => "nodeGraph",
        Kind::Heatmap => "heatmap",
        Kind::States => "state-timeline",
        Kind::Logs => "logs",
        Kind::Words => "text",
    }
}

fn source(source: &Source) -> Value {
    let name = match source {
        Source::Prometheus { .. } => "prometheus",
        Source::Loki(_) => "loki",
        Source::Jaeger { .. } | Source::Dependencies => "jaeger",
    };
    json!({ "type": name, "uid": name })
}

fn target(panel: &Panel, question: &Question, index: usize) -> Value {
    let mut target = match &question.source {
        Source::Prometheus { query, exemplars } => {
            // A range query would show the last value of a series that has ended as if it were current.
            let now = matches!(panel.kind, Kind::Table | Kind::Bars) || panel.named;
            let format = match panel.kind {
                Kind::Table => "table",
                Kind::Heatmap => "heatmap",
                _ => "time_series",
            };
            json!({
                "expr": query, "legendFormat": question.legend, "editorMode": "code",
                "range": !now, "instant": now, "exemplar": exemplars, "format": format,
            })
        }
        Source::Loki(query) => {
            json!({ "expr": query, "editorMode": "code", "queryType": "range", "legendFormat": question.legend })
        }
        Source::Jaeger { service, operation, longer_than } => json!({
            "queryType": "search", "service": service, "operation": operation,
            "minDuration": longer_than, "limit": 20,
        }),
        Source::Dependencies => json!({ "queryType": "dependencyGraph" }),
    };
    target["datasource"] = source(&question.source);
    // Letters suffice: a panel with more than 26 queries would be unreadable.
    target["refId"] = Value::from(char::from(b'A' + (index % 26) as u8).to_string());
    target
}

fn thresholds(panel: &Panel) -> Value {
    if !panel.lines.is_empty() {
        return steps("transparent", &panel.lines);
    }
    let base = match panel.thresholds.is_empty() {
        true => Colour::Neutral,
        false => Colour::Good,
    };
    steps(base.name(), &panel.thresholds)
}

/// The first step begins at minus infinity, which JSON writes as null.
fn steps(base: &str, from: &[(f64, Colour)]) -> Value {
    let mut steps = vec![json!({ "color": base, "value": null })];
    steps
        .extend(from.iter().map(|(from, colour)| json!({ "color": colour.name(), "value": from })));
    json!({ "mode": "absolute", "steps": steps })
}

fn defaults(panel: &Panel) -> Value {
    // With thresholds, a timeline would show them instead of the words.
    let by_threshold = matches!(panel.kind, Kind::Stat | Kind::Bars);
    let mut defaults = json!({
        "unit": panel.unit.name(),
        "color": { "mode": if by_threshold { "thresholds" } else { "palette-classic" } },
        "thresholds": thresholds(panel),
        "mappings": mappings(panel),
        "custom": custom(panel),
    });
    let has_scale = !matches!(
        panel.kind,
        Kind::Table | Kind::Traces | Kind::Logs | Kind::Heatmap | Kind::Graph
    );
    if has_scale && !panel.logarithmic {
        defaults["min"] = json!(0);
    }
    if panel.named {
        defaults["noValue"] = json!("none");
    }
    if let Some(most) = panel.most {
        defaults["max"] = json!(most);
    }
    if let Some(decimals) = panel.decimals {
        defaults["decimals"] = json!(decimals);
    }
    if !panel.links.is_empty() {
        let links = panel.links.iter().map(|(title, url)| json!({ "title": title, "url": url }));
        defaults["links"] = links.collect();
    }
    defaults
}

fn mappings(panel: &Panel) -> Value {
    if panel.words.is_empty() {
        return json!([]);
    }
    let words = panel.words.iter().enumerate().map(|(index, (value, word, colour))| {
        (value.to_string(), json!({ "text": word, "color": colour.name(), "index": index }))
    });
    json!([{ "type": "value", "options": words.collect::<Map<_, _>>() }])
}

fn custom(panel: &Panel) -> Value {
    match panel.kind {
        Kind::Lines | Kind::Stacked => {
            let stacked = panel.kind == Kind::Stacked;
            let scale = match panel.logarithmic {
                true => json!({ "type": "log", "log": 10 }),
                false => json!({ "type": "linear" }),
            };
            // On a logarithmic axis a filled area means nothing, and ten of them hide each other.
            let fill = if stacked { 30 } else { 8 * u8::from(!panel.logarithmic) };
            let dashed = !panel.thresholds.is_empty() || !panel.lines.is_empty();
            json!({
                "scaleDistribution": scale,
                "drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1,
                "fillOpacity": fill, "showPoints": "never", "spanNulls": false,
                "axisSoftMax": panel.unit.least_scale(),
                "stacking": { "mode": if stacked { "normal" } else { "none" }, "group": "A" },
                "thresholdsStyle": { "mode": if dashed { "dashed" } else { "off" } },
            })
        }
        Kind::Table | Kind::Traces => json!({ "align": "auto", "cellOptions": { "type": "auto" } }),
        Kind::States => json!({ "lineWidth": 0, "fillOpacity": 80 }),
        Kind::Heatmap => json!({ "hideFrom": { "legend": false, "tooltip": false, "viz": false } }),
        _ => json!({}),
    }
}

/// Later overrides win: what a panel says about a series comes after the colours of the services.
fn overrides(panel: &Panel) -> Value {
    let drawn = matches!(panel.kind, Kind::Lines | Kind::Stacked);
    let services = palette::services().filter(|_| drawn && panel.is_by_service()).map(|(name, colour)| {
        json!({
            "matcher": { "id": "byRegexp", "options": palette::pattern(name) },
            "properties": [{ "id": "color", "value": { "mode": "fixed", "fixedColor": colour } }],
        })
    });
    let columns = panel.columns.iter().map(column);
    let fixed = panel.colours.iter().map(|(series, colour)| {
        json!({
            "matcher": { "id": "byName", "options": series },
            "properties": [{ "id": "color", "value": { "mode": "fixed", "fixedColor": colour.name() } }],
        })
    });
    let widths = panel.widths.iter().map(|(column, pixels)| {
        json!({
            "matcher": { "id": "byName", "options": column },
            "properties": [{ "id": "custom.width", "value": pixels }],
        })
    });
    services.chain(none(panel)).chain(fixed).chain(widths).chain(columns).collect()
}

/// The override for the line `none`, which shows that nothing happened: its legend is made of labels that it does not have.
fn none(panel: &Panel) -> Option<Value> {
    let asks = |question: &Question| match &question.source {
        Source::Prometheus { query, .. } => query.contains("\"none\""),
        _ => false,
    };
    let drawn = matches!(panel.kind, Kind::Lines | Kind::Stacked);
    (drawn && panel.questions.iter().any(asks)).then(|| {
        json!({
            "matcher": { "id": "byRegexp", "options": r"/^none(?![.\w])/" },
            "properties": [
                { "id": "displayName", "value": "none" },
                { "id": "color", "value": { "mode": "fixed", "fixedColor": Colour::Quiet.name() } },
            ],
        })
    })
}

fn column(column: &Column) -> Value {
    let mut properties = Vec::new();
    let mut set = |id: &str, value: Value| properties.push(json!({ "id": id, "value": value }));
    if let Some(unit) = column.unit {
        set("unit", json!(unit.name()));
    }
    if let Some(decimals) = column.decimals {
        set("decimals", json!(decimals));
    }
    if let Some(width) = column.width {
        set("custom.width", json!(width));
    }
    if column.hidden {
        set("custom.hideFrom.viz", json!(true));
    }
    if !column.thresholds.is_empty() {
        set("thresholds", steps("transparent", &column.thresholds));
        set("color", json!({ "mode": "thresholds" }));
    }
    if !column.words.is_empty() {
        let words = column.words.iter().enumerate().map(|(index, (value, word, colour))| {
            ((*value).to_owned(), json!({ "text": word, "color": colour.name(), "index": index }))
        });
        set("mappings", json!([{ "type": "value", "options": words.collect::<Map<_, _>>() }]));
    }
    if !column.thresholds.is_empty() || !column.words.is_empty() {
        set("custom.cellOptions", json!({ "type": "color-background", "mode": "basic" }));
    }
    if !column.links.is_empty() {
        let links = column.links.iter().map(|(title, url)| json!({ "title": title, "url": url }));
        set("links", links.collect());
    }
    json!({ "matcher": { "id": "byName", "options": column.name }, "properties": properties })
}

fn options(panel: &Panel) -> Value {
    // A narrow legend has room for one number only.
    let calcs: &[&str] = if panel.width > 7 { &["lastNotNull", "max"] } else { &["lastNotNull"] };
    let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    match panel.kind {
        Kind::Lines | Kind::Stacked => json!({
            "legend": {
                "displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": calcs,
                "sortBy": "Last *", "sortDesc": true,
            },
            "tooltip": { "mode": "multi", "sort": "desc", "hideZeros": true },
        }),
        Kind::Stat => json!({
            "colorMode": "value", "graphMode": if panel.height > 3 { "area" } else { "none" }, "justifyMode": "auto", "orientation": "auto",
            "textMode": if panel.named { "name" } else { "auto" }, "wideLayout": true, "reduceOptions": reduce,
        }),
        Kind::Bars => json!({
            "displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "valueMode": "color",
            "minVizHeight": 16, "minVizWidth": 8, "namePlacement": "left", "sizing": "auto", "reduceOptions": reduce,
            "text": { "titleSize": 14, "valueSize": 18 },
        }),
        Kind::Words => json!({ "mode": "markdown", "content": panel.words_in_markdown }),
        Kind::Table | Kind::Traces => {
            // Sorted by the first column: pages stand before tickets.
            let sorted =
                panel.first.first().map(|name| json!({ "displayName": name, "desc": false }));
            json!({ "showHeader": true, "cellHeight": "sm", "sortBy": Vec::from_iter(sorted) })
        }
        // With `greedy`, the graph would take the wheel from a reader who scrolls past.
        Kind::Graph => json!({ "zoomMode": "cooperative", "nodes": {}, "edges": {} }),
        Kind::Heatmap => json!({
            "calculate": false, "cellGap": 1, "cellValues": { "unit": "suffix: /s" },
            "color": { "mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "fill": "dark-orange", "scale": "exponential", "reverse": false, "steps": 64 },
            "exemplars": { "color": "rgba(255,0,255,0.7)" }, "filterValues": { "le": 1e-9 },
            "legend": { "show": true }, "rowsFrame": { "layout": "auto" }, "showValue": "never",
            "tooltip": { "mode": "single", "showColorScale": false, "yHistogram": false },
            "yAxis": { "axisPlacement": "left", "unit": panel.unit.name(), "reverse": false },
        }),
        Kind::States => json!({
            "showValue": "never", "alignValue": "left", "mergeValues": true, "rowHeight": 0.8,
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "single", "sort": "none" },
        }),
        Kind::Logs => json!({
            "showTime": true, "showLabels": false, "showCommonLabels": false, "wrapLogMessage": true,
            "prettifyLogMessage": false, "enableLogDetails": true, "sortOrder": "Descending", "dedupStrategy": "none",
        }),
    }
}

fn transformations(panel: &Panel) -> Value {
    let hidden: Map<_, _> = ["Time"]
        .iter()
        .chain(&panel.hidden)
        .map(|column| ((*column).to_owned(), json!(true)))
        .collect();
    let merge = (panel.questions.len() > 1).then(|| json!({ "id": "merge", "options": {} }));
    let names: Map<_, _> = match panel.questions.as_slice() {
        [one] => [("Value".to_owned(), json!(one.legend))].into_iter().collect(),
        several => several
            .iter()
            .enumerate()
            .map(|(index, question)| {
                (
                    format!("Value #{}", char::from(b'A' + (index % 26) as u8)),
                    json!(question.legend),
                )
            })
            .collect(),
    };
    let order: Map<_, _> = panel
        .first
        .iter()
        .enumerate()
        .map(|(place, column)| ((*column).to_owned(), json!(place)))
        .collect();
    let organize = json!({
        "id": "organize",
        "options": { "excludeByName": hidden, "indexByName": order, "renameByName": names },
    });
    merge.into_iter().chain([organize]).collect()
}
