//! `mesh alerts`: the alerts that fire or are pending, with their runbooks.

use std::{
    process::ExitCode,
    time::{Duration, SystemTime},
};

use chassis::text::printable;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    address, output,
    prometheus::{Labels, Prometheus, series},
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh alerts
  mesh alerts --all                                     and the Watchdog, which always fires
  mesh alerts --json | jq -r '.alerts[].labels.alertname'
  mesh alerts --url http://localhost:8080/prometheus    those of Compose or a cluster

The exit status is 1 if an alert fires, if no rule was evaluated yet, or if nothing answers. An alert of severity none, such as the
Watchdog, does not count.";

/// Show the alerts that fire or are pending, and where to read what to do.
#[derive(Args)]
pub(crate) struct Options {
    /// Show alerts of severity none, too.
    #[arg(long)]
    all: bool,
    /// The URL of a Prometheus. Default: lens of the mesh in this folder.
    #[arg(long, value_name = "URL", value_parser = address::http)]
    url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The file with the runbooks; each alert has a heading in it.
const RUNBOOKS: &str = "grafana/runbooks.md";

/// The maximum of alerts that are printed.
const MOST_ALERTS: usize = 50;

/// The data of `/api/v1/rules`.
#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    last_evaluation: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: String,
    #[serde(default)]
    health: String,
    #[serde(default)]
    last_error: String,
    #[serde(default)]
    alerts: Vec<Found>,
}

/// An alert as the API has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    state: String,
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    active_at: String,
    value: String,
}

/// An alert as this command prints it.
#[derive(Debug, Serialize)]
struct Alert {
    state: String,
    labels: Labels,
    annotations: Labels,
    active_at: String,
    value: String,
    /// Where its runbook is.
    runbook: Option<String>,
}

/// The answer of this command.
#[derive(Serialize)]
struct Report {
    /// Firing alerts first.
    alerts: Vec<Alert>,
    /// The number of rules, recording rules included.
    rules: usize,
    /// The last evaluation of any rule; `None` if there was none.
    evaluated_at: Option<String>,
    /// The rules whose last evaluation failed, and why.
    failing: Vec<Failing>,
    /// The server's time.
    #[serde(skip)]
    now: Option<f64>,
}

#[derive(Serialize)]
struct Failing {
    rule: String,
    error: String,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(ask(options))?;
    if options.json {
        output::json(&report)?;
    } else {
        let now = report.now.and_then(|now| Duration::try_from_secs_f64(now).ok());
        let now = now.map_or_else(SystemTime::now, |now| SystemTime::UNIX_EPOCH + now);
        for line in lines(&report, now) {
            output::line(printable(&line, output::width()));
        }
    }
    let fires = |alert: &Alert| alert.state == "firing" && severity(&alert.labels) != "none";
    let is_quiet = report.evaluated_at.is_some() && !report.alerts.iter().any(fires);
    Ok(if is_quiet { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(options: &Options) -> anyhow::Result<Report> {
    let prometheus = Prometheus::at(options.url.as_deref()).await?;
    let rules = prometheus.read("rules", &[]).await?;
    let mut report = report(rules, options.all);
    report.now = prometheus.now().await.ok();
    if !report.alerts.is_empty()
        && let Some(door) = prometheus.grafana().await
    {
        for alert in &mut report.alerts {
            let url = alert.annotations.get("runbook_url").and_then(|url| at(&door, url));
            alert.runbook = url.or(alert.runbook.take());
        }
    }
    Ok(report)
}

/// The page of a URL behind this front door; `None` if the URL has no such page.
fn at(door: &str, url: &str) -> Option<String> {
    let path = url.find("/grafana/").map(|place| &url[place..])?;
    Some(format!("{door}{path}"))
}

fn severity(labels: &Labels) -> &str {
    labels.get("severity").map_or("", String::as_str)
}

fn report(rules: Rules, all: bool) -> Report {
    let evaluated_at = rules.groups.iter().map(|group| &group.last_evaluation).max().cloned();
    let mut report = Report {
        alerts: Vec::new(),
        rules: 0,
        // Go's zero time: never.
        evaluated_at: evaluated_at.filter(|at| !at.is_empty() && !at.starts_with("0001")),
        failing: Vec::new(),
        now: None,
    };
    for rule in rules.groups.into_iter().flat_map(|group| group.rules) {
        report.rules += 1;
        if rule.health == "err" {
            report.failing.push(Failing { rule: rule.name.clone(), error: rule.last_error });
        }
        let wanted = rule.alerts.into_iter().filter(|one| all || severity(&one.labels) != "none");
        report.alerts.extend(wanted.map(|found| alert(&rule.name, found)));
    }
    report.alerts.sort_by(|a, b| {
        let key = |alert: &Alert| (alert.state != "firing", alert.active_at.clone());
        key(a).cmp(&key(b))
    });
    report
}

fn alert(rule: &str, found: Found) -> Alert {
    let Found { state, labels, annotations, active_at, value } = found;
    let has_runbook = annotations.contains_key("runbook_url");
    let runbook = has_runbook.then(|| format!("{RUNBOOKS}#{}", rule.to_lowercase()));
    Alert { state, labels, annotations, active_at, value, runbook }
}

fn lines(report: &Report, now: SystemTime) -> Vec<String> {
    let mut lines = Vec::new();
    for alert in report.alerts.iter().take(MOST_ALERTS) {
        let mut rest = alert.labels.clone();
        let name = rest.remove("alertname").unwrap_or_default();
        let severity = rest.remove("severity").unwrap_or_default();
        let age = age(&alert.active_at, now);
        let (state, labels) =
            (&alert.state, if rest.is_empty() { String::new() } else { series(&rest) });
        lines.push(
            format!("{state:<8} {name} ({severity}) for {age} {labels}").trim_end().to_owned(),
        );
        let summary = alert.annotations.get("summary").map(|summary| format!("         {summary}"));
        let runbook = alert.runbook.as_ref().map(|runbook| format!("         runbook: {runbook}"));
        lines.extend(summary.into_iter().chain(runbook));
    }
    let (count, rules) = (report.alerts.len(), report.rules);
    if count > MOST_ALERTS {
        lines.push(format!("… and {} more alerts; --json prints all", count - MOST_ALERTS));
    }
    for Failing { rule, error } in &report.failing {
        lines.push(format!("the rule {rule} cannot be evaluated: {error}"));
    }
    let evaluated = report.evaluated_at.as_ref().map(|at| age(at, now));
    let evaluated = evaluated.map(|age| format!("{rules} rules evaluated {age} ago"));
    lines.push(match (count, evaluated) {
        (_, None) => format!("no rule was evaluated yet (of {rules})"),
        (0, Some(evaluated)) => format!("no alert is pending or firing ({evaluated})"),
        (_, Some(evaluated)) => evaluated,
    });
    lines
}

/// How long ago a time in RFC 3339 was, in words: `42 s`, `3 min`, `2 h`.
fn age(at: &str, now: SystemTime) -> String {
    // Prometheus writes nanoseconds and the offset of its own clock's zone; lens and containers use UTC.
    let Ok(at) = humantime::parse_rfc3339(at) else { return at.to_owned() };
    let age = now.duration_since(at).unwrap_or(Duration::ZERO).as_secs();
    match age {
        0..120 => format!("{age} s"),
        120..7_200 => format!("{} min", age / 60),
        _ => format!("{} h", age / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now() -> SystemTime {
        humantime::parse_rfc3339("2026-01-02T03:04:05Z").unwrap()
    }

    fn firing(name: &str, severity: &str, state: &str, at: &str) -> Value {
        json!({
            "name": name, "health": "ok", "type": "alerting", "alerts": [{
                "state": state, "activeAt": at, "value": "1e+00",
                "labels": { "alertname": name, "severity": severity, "job": "or\u{1b}[2Jders" },
                "annotations": { "summary": "orders is away", "runbook_url": "/grafana/d/mesh-runbooks?viewPanel=panel-1" },
            }],
        })
    }

    fn shown(rules: &[Value], all: bool) -> Vec<String> {
        let groups = json!({ "groups": [{ "name": "a", "rules": rules, "lastEvaluation": "2026-01-02T03:04:02.5Z" }] });
        lines(&report(Rules::deserialize(groups).unwrap(), all), now())
    }

    #[test]
    fn firing_alerts_come_first_and_each_says_where_its_runbook_is() {
        let rules = [
            firing("MeshDegraded", "ticket", "pending", "2026-01-02T03:03:05Z"),
            firing("Watchdog", "none", "firing", "2026-01-02T00:00:00Z"),
            firing("MeshServiceAbsent", "page", "firing", "2026-01-02T03:00:00.123Z"),
        ];
        let lines = shown(&rules, false);
        assert_eq!(
            lines,
            [
                r#"firing   MeshServiceAbsent (page) for 4 min {job="or\u{1b}[2Jders"}"#,
                "         orders is away",
                "         runbook: grafana/runbooks.md#meshserviceabsent",
                r#"pending  MeshDegraded (ticket) for 60 s {job="or\u{1b}[2Jders"}"#,
                "         orders is away",
                "         runbook: grafana/runbooks.md#meshdegraded",
                "3 rules evaluated 2 s ago",
            ]
        );
        assert!(shown(&rules, true)[0].starts_with("firing   Watchdog (none) for 3 h"));
    }

    #[test]
    fn without_alerts_it_says_how_many_rules_were_evaluated() {
        let rule = json!({ "name": "a", "health": "ok", "type": "recording" });
        assert_eq!(
            shown(&[rule.clone(), rule], false),
            ["no alert is pending or firing (2 rules evaluated 2 s ago)"]
        );
        let failing = json!({ "name": "a", "health": "err", "lastError": "no such thing" });
        assert_eq!(shown(&[failing], false)[0], "the rule a cannot be evaluated: no such thing");
        let never = Rules::deserialize(json!({ "groups": [
            { "rules": [{ "name": "a", "health": "unknown" }], "lastEvaluation": "0001-01-01T00:00:00Z" },
        ]}));
        assert_eq!(
            lines(&report(never.unwrap(), false), now()),
            ["no rule was evaluated yet (of 1)"]
        );
    }

    #[test]
    fn a_runbook_behind_the_front_door_has_the_address_of_the_door() {
        let url = at(
            "http://localhost:8080",
            "http://prometheus:9090/grafana/d/mesh-runbooks?viewPanel=panel-1",
        );
        assert_eq!(
            url.as_deref(),
            Some("http://localhost:8080/grafana/d/mesh-runbooks?viewPanel=panel-1")
        );
        assert_eq!(at("http://localhost:8080", "https://wiki/runbook"), None);
    }
}
