//! What lens scrapes.

use std::time::SystemTime;

use axum::{extract::State, response::Response};
use serde_json::{Value, json};

use super::{
    Shared,
    answer::{Refusal, success},
    params::Params,
    rules::{NEVER, labels, time},
};
use crate::scrape::Scraped;

/// `/targets`.
pub(super) async fn targets(
    State(prometheus): Shared,
    params: Params,
) -> Result<Response, Refusal> {
    let is_wanted = match params.text("state") {
        None | Some("any" | "active") => true,
        Some("dropped") => false,
        Some(other) => return Err(Refusal::parameter("state", other, "active, dropped or any")),
    };
    let pool = params.text("scrapePool");
    let all = prometheus.scraper.targets();
    let wanted = all.iter().filter(|one| is_wanted && pool.is_none_or(|pool| one.pool == pool));
    let (interval, timeout) = prometheus.scraper.interval_and_timeout();
    let shown = |duration| humantime::format_duration(duration).to_string().replace(' ', "");
    let (interval, timeout) = (shown(interval), shown(timeout));
    let active = wanted.map(|one| {
        let mut shown = target(one);
        shown["scrapeInterval"] = interval.as_str().into();
        shown["scrapeTimeout"] = timeout.as_str().into();
        shown
    });
    Ok(success(json!({
        "activeTargets": active.collect::<Vec<_>>(),
        "droppedTargets": [],
        "droppedTargetCounts": {},
    })))
}

fn target(scraped: &Scraped) -> Value {
    let health = match (&scraped.last, &scraped.error) {
        (None, _) => "unknown",
        (_, None) => "up",
        (_, Some(_)) => "down",
    };
    let millis = |at: SystemTime| {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    };
    json!({
        "discoveredLabels": {},
        "labels": labels(&scraped.labels),
        "scrapePool": scraped.pool,
        "scrapeUrl": scraped.url,
        "globalUrl": scraped.url,
        "lastError": scraped.error.as_deref().unwrap_or_default(),
        "lastScrape": scraped.last.map_or_else(|| NEVER.to_owned(), |(at, _)| time(millis(at))),
        "lastScrapeDuration": scraped.last.map_or(0.0, |(_, took)| took.as_secs_f64()),
        "health": health,
    })
}
