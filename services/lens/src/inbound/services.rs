//! The services: what their metrics say, and what their admin ports answer.
//!
//! Only the paths of this file lead to an admin port, and only to those that lens scrapes: there is no proxy. A replica that does
//! not answer is listed with what is known of it.

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::http::{Json, Problem};
use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    lens::{USUAL_WINDOW, items, refused, rounded, timestamp},
    operate::Operate,
    params::{InvalidParam, Params},
};
use crate::{
    outbound::admin_port::{AdminPorts, Failure, Page},
    scrape::{Points, REACH, Red, Replica, Scraper, Service},
};

/// The most points of CPU and memory: a line of the console is as wide.
const MOST_POINTS: u32 = 120;
/// Profiles that lens holds at once, for all services; each may be 4 MiB.
const PROFILES: usize = 2;
const LONGEST_PROFILE: u64 = 30;
const USUAL_PROFILE: u64 = 10;
/// The longest time for which a log level is set.
const MOST_MINUTES: u64 = 60;
/// The most characters of a log level's directives.
const LONGEST_LEVEL: usize = 200;

struct Services {
    scraper: Arc<Scraper>,
    ports: AdminPorts,
    profiles: Semaphore,
}

type Shared = State<Arc<Services>>;

/// The paths below `/lens/v1/services`.
///
/// # Errors
/// The client of the admin ports cannot be built.
pub(crate) fn routes(scraper: &Arc<Scraper>, operate: &Operate) -> anyhow::Result<Router> {
    let services = Services {
        scraper: Arc::clone(scraper),
        ports: AdminPorts::new()?,
        profiles: Semaphore::new(PROFILES),
    };
    let services = Arc::new(services);
    let page = |page| move |shared, path| pages(shared, path, page);
    let router = Router::new()
        .route("/lens/v1/services", get(list))
        .route("/lens/v1/services/{service}/metrics", get(metrics))
        .route("/lens/v1/services/{service}/build", get(build))
        .route("/lens/v1/services/{service}/config", get(page(Page::Config)))
        .route("/lens/v1/services/{service}/readiness", get(page(Page::Readiness)))
        .route("/lens/v1/services/{service}/log-level", get(page(Page::LogLevel)).put(set_level))
        .with_state(Arc::clone(&services));
    let profile = Router::new().route("/lens/v1/services/{service}/profile", get(profile));
    Ok(operate.around(router).merge(operate.only_own_pages(profile.with_state(services))))
}

async fn list(State(services): Shared, params: Params) -> Result<Json<Value>, Problem> {
    let window = params.window(USUAL_WINDOW, REACH).map_err(refused)?;
    let expected = format!("a whole number up to {MOST_POINTS}");
    let points: u32 = params.number("points", &expected).map_err(refused)?.unwrap_or_default();
    if points > MOST_POINTS {
        let value = points.to_string();
        return Err(refused(InvalidParam { name: "points".to_owned(), value, expected }));
    }
    let services = services.scraper.services_with_points(window, points as usize);
    Ok(items(services.iter().map(service)))
}

fn service(service: &Service) -> Value {
    let vitals = &service.vitals;
    let mut known = known(service);
    known["consumer_lag"] = vitals.consumer_lag.map(|records| records as i64).into();
    known["requests"] = vitals.requests.as_ref().map(red).into();
    known["messages"] = vitals.messages.as_ref().map(red).into();
    if let Some(over_window) = service.points.as_ref().map(points) {
        known["over_window"] = over_window;
    }
    known
}

/// What lens knows of a replica without asking it.
fn known(service: &Service) -> Value {
    let at = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok().map(moment);
    let vitals = &service.vitals;
    let started = vitals.started_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
    json!({
        "service": service.target,
        "name": service.name(),
        "instance": service.instance,
        "up": service.error.is_none(),
        "ready": service.latest.ready.map(|ready| ready && service.error.is_none()),
        "draining": service.draining,
        "degraded": service.latest.degraded,
        "error": service.error,
        "down_since": service.down_since.and_then(at),
        "scraped_at": service.scraped_at.and_then(at),
        "version": service.latest.version,
        "revision": service.latest.revision,
        "started_at": started.map(moment),
        "known_since": service.known_since.and_then(at),
        "restarts": service.restarts,
        "ended": service.ended,
        "memory_bytes": vitals.memory_bytes.map(|bytes| bytes as u64),
        "cpu_cores": vitals.cpu_cores.map(rounded),
    })
}

fn moment(since: Duration) -> String {
    timestamp(since.as_nanos() as u64)
}

fn red(red: &Red) -> Value {
    let ms = |seconds: Option<f64>| seconds.map(|seconds| rounded(seconds * 1e3));
    json!({
        "rate": rounded(red.rate),
        "errors_per_second": rounded(red.errors_per_second),
        "p50_ms": ms(red.p50_seconds),
        "p99_ms": ms(red.p99_seconds),
    })
}

fn points(points: &Points) -> Value {
    let cpu = points.cpu_cores.iter().map(|cores| cores.map(rounded));
    let memory = points.memory_bytes.iter().map(|bytes| bytes.map(|bytes| bytes as u64));
    json!({
        "step_seconds": rounded(points.step.as_secs_f64()),
        "cpu_cores": cpu.collect::<Vec<_>>(),
        "memory_bytes": memory.collect::<Vec<_>>(),
    })
}

async fn metrics(
    State(services): Shared,
    Path(service): Path<String>,
) -> Result<Response, Problem> {
    let text = services.scraper.text(&service).ok_or_else(|| unknown(&service))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The version with its commit, and how long the process has been running.
async fn build(
    State(services): Shared,
    Path(service): Path<String>,
) -> Result<Json<Value>, Problem> {
    let replicas = services.replicas(&service).ok_or_else(|| unknown(&service))?;
    let replicas = replicas.iter().map(|replica| {
        let mut known = known(&replica.service);
        let started = replica.service.vitals.started_seconds;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let uptime = started.filter(|_| replica.service.error.is_none());
        known["uptime_seconds"] =
            uptime.map(|started| (now.as_secs_f64() - started).max(0.0).floor()).into();
        known
    });
    Ok(answer(&service, replicas.collect()))
}

async fn pages(
    State(services): Shared,
    Path(service): Path<String>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    let replicas = services.replicas(&service).ok_or_else(|| unknown(&service))?;
    let asked = replicas.iter().map(async |replica| {
        let result = match &replica.base {
            Some(base) => services.ports.page(base, page).await,
            None => Err(Failure::Unusable("its name cannot be looked up".to_owned())),
        };
        with_result(known(&replica.service), page, result)
    });
    Ok(answer(&service, join_all(asked).await))
}

/// Adds what the replica answered, or why it did not, to what is known of it.
fn with_result(mut known: Value, page: Page, result: Result<Value, Failure>) -> Value {
    match (page, result) {
        (Page::Config, Ok(found)) => known["config"] = found,
        (Page::LogLevel, Ok(found)) => known["log_level"] = found,
        (Page::Readiness, Ok(found)) => {
            known["ready"] = found["ready"].clone();
            known["readiness"] = found;
        }
        (_, Err(Failure::Unusable(error))) => {
            (known["up"], known["ready"], known["error"]) =
                (false.into(), false.into(), error.into());
        }
        (_, Err(Failure::Refused(problem))) => known["problem"] = json!(problem),
    }
    known
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    level: String,
    minutes: u64,
}

impl Change {
    fn check(self) -> Result<Self, Box<Problem>> {
        let wrong = |field, detail: String| {
            let text = format!("the log level was not changed: {field} {detail}");
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let problem = Problem::new(status, "invalid-argument", text);
            Err(Box::new(problem.field(field, detail)))
        };
        let length = self.level.chars().count();
        if !(1..=LONGEST_LEVEL).contains(&length) {
            let expected = "directives as debug or info,chassis=debug";
            return wrong(
                "level",
                format!("has {length} characters; expected 1 to {LONGEST_LEVEL}: {expected}"),
            );
        }
        if !(1..=MOST_MINUTES).contains(&self.minutes) {
            let expected = format!("is {}; expected 1 to {MOST_MINUTES}", self.minutes);
            return wrong("minutes", expected);
        }
        Ok(self)
    }
}

/// Sets the log level of every replica for some minutes. Each replica reverts it by itself, also while lens is away.
async fn set_level(
    State(services): Shared,
    Path(service): Path<String>,
    Json(change): Json<Change>,
) -> Result<Json<Value>, Problem> {
    let Change { level, minutes } = change.check().map_err(|problem| *problem)?;
    let replicas = services.replicas(&service).ok_or_else(|| unknown(&service))?;
    let set = replicas.iter().map(async |replica| match &replica.base {
        Some(base) => services.ports.set_level(base, &level, minutes).await,
        None => Err(Failure::Unusable("its name cannot be looked up".to_owned())),
    });
    let results = join_all(set).await;
    if let Some(problem) = none_succeeded(&results) {
        return Err(problem);
    }
    tracing::info!(service, level, minutes, "log level set through lens");
    let replicas = replicas.iter().zip(results);
    let replicas = replicas
        .map(|(replica, result)| with_result(known(&replica.service), Page::LogLevel, result));
    Ok(answer(&service, replicas.collect()))
}

fn none_succeeded(results: &[Result<Value, Failure>]) -> Option<Problem> {
    if results.iter().any(Result::is_ok) {
        return None;
    }
    let failure = results.iter().find_map(|result| result.as_ref().err())?;
    Some(problem_of(failure.clone()))
}

fn problem_of(failure: Failure) -> Problem {
    match failure {
        Failure::Refused(problem) => *problem,
        Failure::Unusable(error) => {
            let detail = format!("the admin port of the service cannot be asked: {error}");
            Problem::new(StatusCode::BAD_GATEWAY, "bad-gateway", detail)
        }
    }
}

/// A CPU profile of one replica in pprof's format, as its admin port takes it: one at a time.
async fn profile(
    State(services): Shared,
    Path(service): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    let expected = format!("a whole number from 1 to {LONGEST_PROFILE}");
    let seconds = params.number("seconds", &expected).map_err(refused)?.unwrap_or(USUAL_PROFILE);
    if !(1..=LONGEST_PROFILE).contains(&seconds) {
        let value = seconds.to_string();
        return Err(refused(InvalidParam { name: "seconds".to_owned(), value, expected }));
    }
    let replicas = services.replicas(&service).ok_or_else(|| unknown(&service))?;
    let up = replicas.iter().find(|replica| replica.service.error.is_none());
    let Some(base) = up.or(replicas.first()).and_then(|replica| replica.base.as_deref()) else {
        let error = Failure::Unusable("its name cannot be looked up".to_owned());
        return Err(problem_of(error));
    };
    let Ok(_place) = services.profiles.try_acquire() else {
        let detail = format!(
            "{PROFILES} profiles are being taken through this lens already, and no more fit into its memory"
        );
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "profiling", detail);
        problem.retry_after = Some(1);
        return Err(problem);
    };
    let bytes = services.ports.profile(base, seconds).await.map_err(problem_of)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, bytes).into_response())
}

impl Services {
    /// The replicas of `service`, or the one of `service@address`; `None` if lens scrapes none.
    fn replicas(&self, service: &str) -> Option<Vec<Replica>> {
        let (name, address) = match service.split_once('@') {
            Some((name, address)) => (name, Some(address)),
            None => (service, None),
        };
        let mut replicas = self.scraper.replicas(name, USUAL_WINDOW);
        if let Some(address) = address {
            replicas.retain(|replica| replica.service.instance.as_deref() == Some(address));
        }
        (!replicas.is_empty()).then_some(replicas)
    }
}

fn answer(service: &str, replicas: Vec<Value>) -> Json<Value> {
    Json(json!({ "service": service, "replicas": replicas }))
}

fn unknown(service: &str) -> Problem {
    let detail =
        format!("no service {service:?} is asked for metrics; /lens/v1/services lists them");
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}
