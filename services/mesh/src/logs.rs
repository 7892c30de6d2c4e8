//! `mesh logs`: the log lines of the services, as lens keeps them.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    address, output,
    running::Running,
    status,
    up::line::{Level, Line},
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh logs                              the last 100 lines of all services
  mesh logs orders --level warn          of one service, warnings and errors only
  mesh logs payments --since 5m
  mesh logs --trace d34735d94e1c100b6b37ee60ee29e8cb
  mesh logs -f                           and new lines as they arrive, until Ctrl-C
  mesh logs --json | jq -r .body

Lines are those of the lens: it forgets the oldest when its memory is full. A service logs what
log.filter lets through; `mesh up --set log.filter=debug` logs more.";

/// Show the log lines of the services, from lens of the mesh in this folder.
#[derive(Args)]
pub(crate) struct Options {
    /// The service. Default: all services.
    service: Option<String>,
    /// Print new lines as they arrive.
    #[arg(long, short)]
    follow: bool,
    /// Only lines of this last time: 30s, 5m, 2h.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// The minimum level.
    #[arg(long, value_parser = ["trace", "debug", "info", "warn", "error"])]
    level: Option<String>,
    /// Only the lines of this trace.
    #[arg(long, value_name = "TRACE", value_parser = trace)]
    trace: Option<String>,
    /// The maximum number of lines; the last ones are printed. Default: 100; with --since, 1000.
    #[arg(long, short = 'n', value_parser = clap::value_parser!(u16).range(1..=MOST))]
    lines: Option<u16>,
    /// The URL of lens. Default: the mesh of this folder.
    #[arg(long, value_name = "URL", value_parser = address::http)]
    lens: Option<String>,
    /// Print each log line as one JSON object, as lens returns it.
    #[arg(long)]
    json: bool,
}

/// The maximum that lens returns in one answer.
const MOST: i64 = 1_000;
const USUAL: u16 = 100;
/// The pause between two requests: exporters send every second or so, and this adds little to that.
const AGAIN: Duration = Duration::from_millis(300);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

fn trace(text: &str) -> Result<String, String> {
    let is_trace = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_trace.then(|| text.to_owned()).ok_or_else(|| "expected 32 hexadecimal digits".into())
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Value>,
    next: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(show(options))?;
    Ok(ExitCode::SUCCESS)
}

async fn show(options: &Options) -> anyhow::Result<()> {
    let lens = status::lens_at(options.lens.as_deref()).await?;
    let client = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build()?;
    let lines = match (options.lines, options.since) {
        (Some(lines), _) => lines,
        (None, Some(_)) => MOST as u16,
        (None, None) => USUAL,
    };
    let first = [("limit", lines.to_string())];
    let since = options.since.map(|since| ("since", format!("{}ms", since.as_millis())));
    let query = first.into_iter().chain(since).chain(filters(options));
    let mut answer = ask(&client, &lens, &query.collect::<Vec<_>>()).await?;
    print(&answer.items, options.json)?;
    let mut is_away = false;
    while options.follow && !output::is_closed() {
        if answer.items.len() < MOST as usize {
            sleep(AGAIN).await;
        }
        let place = [("limit", MOST.to_string()), ("from", answer.next.to_string())];
        let query: Vec<_> = place.into_iter().chain(filters(options)).collect();
        match ask(&client, &lens, &query).await {
            Ok(next) => {
                print(&next.items, options.json)?;
                (answer, is_away) = (next, false);
            }
            Err(error) => {
                // A mesh that has stopped logs nothing more; a lens that was killed starts again.
                ensure!(options.lens.is_some() || Running::here().is_ok(), "the mesh has stopped");
                if !std::mem::replace(&mut is_away, true) {
                    output::print_error(format_args!("{error:#}; trying again"));
                }
                answer.items.clear();
            }
        }
    }
    Ok(())
}

/// The query parameters for the options.
fn filters(options: &Options) -> impl Iterator<Item = (&'static str, String)> {
    let service = options.service.clone().map(|service| ("service", service));
    let level = options.level.clone().map(|level| ("severity", level));
    let trace = options.trace.clone().map(|trace| ("trace_id", trace));
    service.into_iter().chain(level).chain(trace)
}

async fn ask(
    client: &reqwest::Client,
    lens: &str,
    query: &[(&str, String)],
) -> anyhow::Result<Answer> {
    let mut url = reqwest::Url::parse(&format!("{lens}/lens/v1/logs"))?;
    url.query_pairs_mut().extend_pairs(query);
    let answer = client.get(url).send().await;
    let answer = answer.with_context(|| format!("the lens at {lens} does not answer"))?;
    let answer = answer.error_for_status()?;
    answer.json().await.with_context(|| format!("{lens} does not answer as our lens does"))
}

fn print(items: &[Value], json: bool) -> anyhow::Result<()> {
    let colours = output::colours();
    for item in items {
        if json {
            output::json_line(item)?;
        } else {
            output::raw(line(item).render(colours));
        }
    }
    Ok(())
}

/// Converts a line of lens for display.
fn line(item: &Value) -> Line {
    let text = |name: &str| item[name].as_str().unwrap_or_default();
    let mut line = Line::new(text("service"), Level::read(text("severity")), text("body"));
    if let Some(time) = text("at").get(11..23) {
        time.clone_into(&mut line.time);
    }
    let attributes: BTreeMap<String, Value> =
        Deserialize::deserialize(&item["attributes"]).unwrap_or_default();
    for (name, value) in &attributes {
        line.field(name, value);
    }
    // The trace id is the longest field and says the least, so it comes last.
    if item["trace_id"].is_string() {
        line.field("trace_id", &item["trace_id"]);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_as_mesh_up_shows_it_and_is_harmless() {
        let item = serde_json::json!({
            "at": "2026-01-02T12:00:01.234567Z", "severity": "warn", "service": "or\u{1b}[2Jders", "target": "orders::orders",
            "body": "no\u{9b}2J answer\n", "trace_id": "abc", "attributes": { "order.id": "o-1", "lines": 2 },
        });
        assert_eq!(
            line(&item).render(false),
            "12:00:01.234 or\\u{1b}[2Jders warn  no\\u{9b}2J answer\\n lines=2 order.id=o-1 trace_id=abc"
        );
        assert!(line(&Value::Null).render(false).contains("debug"));
    }
}
