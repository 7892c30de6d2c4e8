//! The rules of Grafana's dashboard linter, <https://github.com/grafana/dashboard-linter/blob/main/docs/index.md>, and ours.
//!
//! | its rule | here |
//! |---|---|
//! | template-datasource, panel-datasource | [`ours`]: a dashboard names the provisioned data sources by uid |
//! | template-job, template-instance, target-job, target-instance | [`chosen`]: some panel uses the chosen service or topic |
//! | template-label-promql, template-on-time-change-reload | [`variables`] |
//! | panel-title-description, panel-units, panel-no-targets | [`described`] |
//! | target-promql, target-counter-agg, target-rate-interval | [`queries`] |
//! | target-logql, target-logql-auto | not checked: there is one such query, without a range; a real Loki answers it |
//! | uneditable-dashboard | does not apply: provisioned dashboards cannot be saved, and an editable one invites trials |
//!
//! A job need not be chosen, since there is one mesh; replicas are summed.

use std::collections::BTreeSet;

use grafana::{panel::DATA_SOURCES, slo};
use serde_json::Value;

use crate::{
    contract::Contract,
    links,
    panels::{Dashboard, Panel, everywhere, list, promql, text},
    query,
};

/// A rule: returns its complaints about a dashboard.
type Rule = fn(&Dashboard) -> Vec<String>;

const RULES: [(&str, Rule); 15] = [
    ("ours", ours),
    ("chosen", chosen),
    ("variables", variables),
    ("described", described),
    ("queries", queries),
    ("exemplars", exemplars),
    ("titles", titles),
    ("colours", colours),
    ("promised", promised),
    ("present", present),
    ("worked", worked),
    ("places", places),
    ("known", known),
    ("links", links::lead_somewhere),
    ("fields", links::fields),
];

/// Every data source is provisioned, or is Grafana's own.
fn ours(dashboard: &Dashboard) -> Vec<String> {
    let mut found = Vec::new();
    everywhere(&dashboard.json, "datasource", &mut found);
    let uids: BTreeSet<_> = found.into_iter().map(|source| text(source, "/uid")).collect();
    let foreign = uids.into_iter().filter(|uid| {
        let grafana = ["-- Grafana --", "-- Mixed --"];
        !grafana.contains(uid) && !DATA_SOURCES.contains(uid)
    });
    foreign.map(|uid| format!("there is no data source {uid:?}")).collect()
}

/// Every variable is used by some panel.
fn chosen(dashboard: &Dashboard) -> Vec<String> {
    let shown: String = dashboard.panels().iter().map(|panel| panel.0.to_string()).collect();
    let names = dashboard.variables().iter().map(|variable| text(variable, "/name"));
    let idle = names.filter(|name| {
        !shown.contains(&format!("${name}")) && !shown.contains(&format!("${{{name}"))
    });
    idle.map(|name| format!("nothing listens to ${name}")).collect()
}

/// The values of a variable come from a series that exists, and are queried again when the time range changes.
fn variables(dashboard: &Dashboard) -> Vec<String> {
    let (contract, mut complaints) = (Contract::read(), Vec::new());
    for variable in dashboard.variables().iter().filter(|one| text(one, "/type") == "query") {
        let (name, query) = (text(variable, "/name"), text(variable, "/query/query"));
        if variable.pointer("/refresh").and_then(Value::as_i64) != Some(2) {
            complaints.push(format!("${name} is not asked for again when the time changes"));
        }
        let asked = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let Some((selector, label)) = asked.and_then(|asked| asked.rsplit_once(',')) else {
            complaints.push(format!("${name} is not label_values(series, label): {query:?}"));
            continue;
        };
        // As an aggregation by the label, so that a series without the label is a complaint.
        let by = format!("sum by ({}) ({selector})", label.trim());
        complaints.extend(query::complaints(&by, &contract));
    }
    complaints
}

/// Each panel has a title, a query, and a description of bad values; numbers have a unit.
fn described(dashboard: &Dashboard) -> Vec<String> {
    let mut complaints = Vec::new();
    for panel in dashboard.panels() {
        let title = panel.title();
        let missing = [
            (title.is_empty(), "has no title"),
            (
                text(panel.0, "/description").len() < 15 && panel.kind() != "text",
                "does not say what a bad value means",
            ),
            (panel.targets().is_empty() && panel.kind() != "text", "asks nothing"),
            (
                has_numbers(panel) && text(panel.0, "/fieldConfig/defaults/unit").is_empty(),
                "has no unit",
            ),
        ];
        let wrong = missing.into_iter().filter(|(wrong, _)| *wrong);
        complaints.extend(wrong.map(|(_, what)| format!("{title:?} {what}")));
    }
    complaints
}

/// Whether the panel needs a unit. A heat map has its unit on its axis.
fn has_numbers(panel: Panel<'_>) -> bool {
    ["timeseries", "stat", "gauge", "bargauge"].contains(&panel.kind())
}

/// Each query is valid PromQL, of series that exist; counters are queried as rates, over Grafana's window.
fn queries(dashboard: &Dashboard) -> Vec<String> {
    let (contract, mut complaints) = (Contract::read(), Vec::new());
    for panel in dashboard.panels() {
        for target in panel.targets() {
            let Some(query) = promql(target) else { continue };
            let mut wrong = query::complaints(&query, &contract);
            wrong.extend(query::bare_counters(&query));
            let written = text(target, "/expr");
            for function in ["rate(", "irate("] {
                for call in written.split(function).skip(1) {
                    let window = window(call);
                    // The whole time range, as a filter that selects series, is fine, too.
                    let whole = window == "$__range" && call.contains("[$__range] @ end()");
                    if window != "$__rate_interval" && !whole {
                        wrong.push(format!("{function}…[{window}])"));
                    }
                }
            }
            complaints.extend(wrong.into_iter().map(|what| format!("{:?}: {what}", panel.title())));
        }
    }
    complaints
}

/// The text in the first brackets outside of a string.
fn window(call: &str) -> &str {
    // The pieces between quotation marks alternate: every other one is a string.
    let mut start = 0;
    for (index, piece) in call.split('"').enumerate() {
        if let (0, Some(open)) = (index % 2, piece.find('[')) {
            return call[start + open + 1..].split(']').next().unwrap_or_default();
        }
        start += piece.len() + 1;
    }
    ""
}

/// A panel with durations over time has exemplars, which link to traces. Only one query of a panel asks for them, and of
/// series that have exemplars: a recorded series has none.
fn exemplars(dashboard: &Dashboard) -> Vec<String> {
    let asks = |target: &Value| target.pointer("/exemplar").and_then(Value::as_bool) == Some(true);
    let mut complaints = Vec::new();
    for panel in dashboard.panels() {
        let (title, targets) = (panel.title(), panel.targets());
        let asked: Vec<_> = targets.iter().filter(|target| asks(target)).collect();
        let quantiles =
            targets.iter().any(|target| text(target, "/expr").contains("histogram_quantile"));
        if panel.kind() == "timeseries" && quantiles && asked.is_empty() {
            complaints.push(format!("{title:?} shows no exemplars"));
        }
        if asked.len() > 1 {
            complaints.push(format!("{title:?} asks for the same exemplars {} times", asked.len()));
        }
        if asked.iter().any(|target| !text(target, "/expr").contains("_bucket{")) {
            complaints.push(format!("{title:?} asks for exemplars of what has no buckets"));
        }
    }
    complaints
}

/// A title is not cut on a screen of 1280 pixels with the menu open, which leaves 39 for each column. A letter takes 7;
/// margins, icon and the menu that appears under the mouse take 112: measured in Grafana 12.4.
fn titles(dashboard: &Dashboard) -> Vec<String> {
    let panels = dashboard.panels();
    let cut = panels.iter().filter(|panel| {
        let [left, _, right, _] = panel.place();
        panel.title().chars().count() as i64 * 7 + 112 > (right - left) * 39
    });
    cut.map(|panel| format!("{:?} is cut", panel.title())).collect()
}

/// Lines that are named after services have the services' colours, not those of a palette in the order of the series.
fn colours(dashboard: &Dashboard) -> Vec<String> {
    let panels = dashboard.panels();
    let pale = panels.iter().filter(|panel| {
        let by_service = panel.targets().iter().any(|target| {
            let legend = text(target, "/legendFormat");
            ["{{service}}", "{{group}}", "_group_name}}"].iter().any(|label| legend.contains(label))
        });
        let fixed = list(panel.0, "/fieldConfig/overrides");
        let coloured = fixed.iter().any(|one| text(one, "/matcher/options").contains("payments"));
        panel.kind() == "timeseries" && by_service && !coloured
    });
    pale.map(|panel| format!("{:?} has other colours than other panels", panel.title())).collect()
}

/// A panel that shows the names of series uses an instant query: otherwise the last value of a series that has ended would
/// stay.
fn present(dashboard: &Dashboard) -> Vec<String> {
    let panels = dashboard.panels();
    let past = panels.iter().filter(|panel| {
        text(panel.0, "/options/textMode") == "name"
            && panel.targets().iter().any(|target| target["instant"] != true)
    });
    past.map(|panel| format!("{:?} names what was", panel.title())).collect()
}

/// A panel with the durations that an objective limits draws the limit as a line.
fn promised(dashboard: &Dashboard) -> Vec<String> {
    let promises = [
        ("http_route=\"/api/orders\"", slo::ORDER_WITHIN),
        ("mesh_flow_duration_seconds", slo::FLOW_WITHIN),
        ("mesh_event_delay_seconds", slo::EVENT_WITHIN),
    ];
    let mut complaints = Vec::new();
    for panel in dashboard.panels().iter().filter(|panel| panel.kind() == "timeseries") {
        let asked = |of: &str| {
            let mut exprs = panel.targets().iter().map(|target| text(target, "/expr"));
            exprs.any(|expr| expr.contains("histogram_quantile") && expr.contains(of))
        };
        let steps = list(panel.0, "/fieldConfig/defaults/thresholds/steps");
        for (_, within) in promises.iter().filter(|(of, _)| asked(of)) {
            let within = slo::seconds(within);
            if !steps.iter().any(|step| step["value"].as_f64() == Some(within)) {
                complaints.push(format!("{:?} has no line at {within} s", panel.title()));
            }
        }
    }
    complaints
}

/// Counts and durations of handled events leave out those that were skipped, which takes no time.
fn worked(dashboard: &Dashboard) -> Vec<String> {
    let mut complaints = Vec::new();
    for panel in dashboard.panels() {
        for target in panel.targets() {
            let expr = text(target, "/expr");
            for call in expr.split("messaging_process_duration_seconds").skip(1) {
                let selector = call.split('}').next().unwrap_or_default();
                if !selector.contains("outcome") {
                    complaints.push(format!("{:?} counts what was skipped", panel.title()));
                }
            }
        }
    }
    complaints
}

/// Panels lie within the grid and do not overlap; ids and letters are unique.
fn places(dashboard: &Dashboard) -> Vec<String> {
    let mut complaints = Vec::new();
    let all = dashboard.with_rows();
    let ids: BTreeSet<_> = all.iter().map(|panel| panel.0["id"].as_i64()).collect();
    if ids.len() != all.len() || ids.contains(&None) {
        complaints.push("panels have no id, or the same".into());
    }
    for (index, panel) in all.iter().enumerate() {
        let [left, top, right, bottom] = panel.place();
        if left < 0 || top < 0 || right > 24 || right <= left || bottom <= top {
            complaints.push(format!("{:?} is not within the grid", panel.title()));
        }
        let over = all[..index].iter().find(|other| {
            let [x, y, to_x, to_y] = other.place();
            left < to_x && x < right && top < to_y && y < bottom
        });
        if let Some(other) = over {
            complaints.push(format!("{:?} lies on {:?}", panel.title(), other.title()));
        }
        let letters: BTreeSet<_> = panel.targets().iter().map(|one| text(one, "/refId")).collect();
        if letters.len() != panel.targets().len() || letters.contains("") {
            complaints.push(format!("{:?}: questions have no refId, or the same", panel.title()));
        }
    }
    complaints
}

/// The dashboard's uid is the name of its file, it has our tag, and a current Grafana can read it.
fn known(dashboard: &Dashboard) -> Vec<String> {
    let json = &dashboard.json;
    let right = [
        (text(json, "/uid") == dashboard.file, "its uid is not the name of its file"),
        (!text(json, "/title").is_empty(), "it has no title"),
        (!text(json, "/description").is_empty(), "it has no description"),
        (list(json, "/tags").contains(&"glassmesh".into()), "it has not the tag glassmesh"),
        (json["schemaVersion"].as_i64() >= Some(42), "its schemaVersion is older than 42"),
        (json["id"].is_null(), "it has an id of one installation"),
    ];
    right.into_iter().filter(|(right, _)| !right).map(|(_, what)| what.to_owned()).collect()
}

#[test]
fn dashboards_keep_the_rules() {
    let mut complaints = Vec::new();
    for dashboard in Dashboard::all() {
        for (name, rule) in RULES {
            let found = rule(&dashboard).into_iter();
            complaints.extend(found.map(|what| format!("{} ({name}): {what}", dashboard.file)));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Checks that a rule accepts one of our dashboards, and complains once `spoil` has changed it.
#[track_caller]
fn spoilt(rule: Rule, spoil: impl Fn(&mut Value)) {
    let mut dashboard = Dashboard::all()
        .into_iter()
        .find(|dashboard| dashboard.file == "mesh-service")
        .expect("the dashboard of a service");
    assert_eq!(rule(&dashboard), [""; 0], "it was bad before");
    spoil(&mut dashboard.json);
    assert!(!rule(&dashboard).is_empty(), "nothing was found");
}

/// The first panel of quantiles over time.
fn quantiles(json: &mut Value) -> &mut Value {
    let panels = json["panels"].as_array_mut().expect("panels").iter_mut();
    let shows = |panel: &&mut Value| {
        panel["type"] == "timeseries"
            && text(panel, "/targets/0/expr").contains("histogram_quantile")
    };
    panels.into_iter().find(shows).expect("a panel of quantiles")
}

#[test]
fn a_dashboard_that_breaks_a_rule_is_found() {
    spoilt(ours, |json| quantiles(json)["datasource"]["uid"] = "P1809F7CD0C75ACF3".into());
    spoilt(chosen, |json| {
        let more = serde_json::json!({"name": "colour", "type": "custom"});
        json["templating"]["list"].as_array_mut().expect("variables").push(more);
    });
    spoilt(variables, |json| json["templating"]["list"][0]["refresh"] = 1.into());
    let query = "label_values(mesh_build_inf, service)";
    spoilt(variables, |json| json["templating"]["list"][0]["query"]["query"] = query.into());
    spoilt(described, |json| quantiles(json)["description"] = "Latency".into());
    spoilt(described, |json| quantiles(json)["fieldConfig"]["defaults"]["unit"] = "".into());
    spoilt(exemplars, |json| quantiles(json)["targets"][0]["exemplar"] = false.into());
    spoilt(exemplars, |json| quantiles(json)["targets"][1]["exemplar"] = true.into());
    spoilt(exemplars, |json| quantiles(json)["targets"][0]["expr"] = "a:b:c".into());
    let long = "How long it takes until somebody has read the whole of this title, and looked on";
    spoilt(titles, |json| quantiles(json)["title"] = long.into());
    spoilt(colours, |json| quantiles(json)["targets"][0]["legendFormat"] = "{{service}}".into());
    let late = "histogram_quantile(0.9, sum by (le) (rate(mesh_event_delay_seconds_bucket[$__rate_interval])))";
    spoilt(promised, |json| quantiles(json)["targets"][0]["expr"] = late.into());
    spoilt(present, |json| quantiles(json)["options"]["textMode"] = "name".into());
    let skipped =
        "sum(rate(messaging_process_duration_seconds_count{service=\"a\"}[$__rate_interval]))";
    spoilt(worked, |json| quantiles(json)["targets"][0]["expr"] = skipped.into());
    spoilt(places, |json| quantiles(json)["gridPos"]["w"] = 24.into());
    spoilt(places, |json| quantiles(json)["id"] = 1.into());
    spoilt(known, |json| json["uid"] = "service".into());
    let nowhere = serde_json::json!([{"url": "/d/mesh-servce"}]);
    spoilt(links::lead_somewhere, |json| quantiles(json)["links"] = nowhere.clone());
    let unknown =
        serde_json::json!([{"url": "/d/mesh-runbooks?viewPanel=${__data.fields.runbook}"}]);
    spoilt(links::fields, |json| {
        let panels = json["panels"].as_array_mut().unwrap();
        let table = panels.iter_mut().find(|panel| panel["type"] == "table").unwrap();
        table["fieldConfig"]["defaults"]["links"] = unknown.clone();
        table["transformations"][0]["options"]["excludeByName"]["runbook"] = true.into();
    });
    let unheard = serde_json::json!([{"url": "/d/mesh-events?var-colour=red"}]);
    spoilt(links::lead_somewhere, |json| quantiles(json)["links"] = unheard.clone());
    for query in [
        "sum(rate(mesh_retries_total[5m]))",
        "sum by (service) (mesh_retries_total)",
        "sum(rate(mesh_retrys_total[$__rate_interval]))",
        "sum(",
    ] {
        spoilt(queries, |json| quantiles(json)["targets"][0]["expr"] = query.into());
    }
}
