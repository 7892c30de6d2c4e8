//! The port for operators: health, metrics, log level, configuration, profiles. Never reachable through the gateway.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Query, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use crate::{
    config::Effective,
    http::{Guard, Problem},
    metrics::{OPENMETRICS, Registry, TEXT},
    readiness::Readiness,
    telemetry::LogLevel,
    text::printable,
};

/// What operators may see.
pub(crate) struct Admin {
    pub(crate) service: &'static str,
    pub(crate) registry: Registry,
    pub(crate) readiness: Readiness,
    pub(crate) level: LogLevel,
    pub(crate) effective: Vec<Effective>,
}

impl Admin {
    pub(crate) fn router(self, guard: Guard) -> Router {
        let router = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/metrics/families", get(families))
            .route("/config", get(config))
            .route("/log-level", get(level).put(set_level))
            .route(PROFILE, get(profile))
            .route("/debug/pprof/heap", get(heap))
            .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "not-found", PATHS) })
            .with_state(Arc::new(self));
        guard.costly(&[PROFILE]).around(router)
    }
}

const PROFILE: &str = "/debug/pprof/profile";

const PATHS: &str = "no such path; there are /livez /readyz /metrics /metrics/families /config /log-level /debug/pprof/profile";

async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    let missing = admin.readiness.missing();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "service": admin.service,
        "ready": missing.is_empty(),
        "missing": missing,
        "degraded": admin.readiness.degraded(),
    });
    (status, axum::Json(body)).into_response()
}

async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let accepts =
        headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, text) = if accepts.contains("application/openmetrics-text") {
        (OPENMETRICS, admin.registry.openmetrics())
    } else {
        (TEXT, admin.registry.text())
    };
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

/// Every metric there may be, one a line: its name, type and labels.
async fn families(State(admin): State<Arc<Admin>>) -> String {
    admin.registry.families().iter().map(|family| format!("{family}\n")).collect()
}

async fn config(State(admin): State<Arc<Admin>>) -> Response {
    axum::Json(&admin.effective).into_response()
}

async fn level(State(admin): State<Arc<Admin>>) -> String {
    admin.level.get() + "\n"
}

async fn set_level(State(admin): State<Arc<Admin>>, directives: String) -> Result<String, Problem> {
    let now = admin.level.set(directives.trim()).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid-argument", printable(&error, 200))
            .field("body", "expected directives as info,chassis=debug")
    })?;
    tracing::info!(directives = now, "log level changed");
    Ok(now + "\n")
}

#[derive(Deserialize)]
struct ProfileOptions {
    #[serde(default = "default_seconds")]
    seconds: u64,
}

fn default_seconds() -> u64 {
    10
}

/// A minute of profile is about a megabyte of memory.
const LONGEST_PROFILE: u64 = 60;

/// 99 samples a second: not in step with what happens every 10 ms.
const FREQUENCY: i32 = 99;

/// The innermost frames are the profiler's own, from the signal on: they would be where all the time is spent.
fn drop_profiler(frames: &mut pprof::Frames) {
    let own = |symbols: &Vec<pprof::Symbol>| {
        let names = symbols.iter().map(pprof::Symbol::name);
        names.into_iter().any(|name| PROFILER.iter().any(|word| name.contains(word)))
    };
    if let Some(last) = frames.frames.iter().rposition(own) {
        frames.frames.drain(..=last);
    }
}

const PROFILER: [&str; 4] =
    ["backtrace::backtrace", "perf_signal_handler", "pprof::profiler", "__restore_rt"];

/// There is none to give: counting who allocates what would take another allocator, and its price all the time.
async fn heap() -> Problem {
    Problem::new(
        StatusCode::NOT_IMPLEMENTED,
        "no-heap-profile",
        "the allocator is glibc's, which keeps no record of who allocates what; \
         process_resident_memory_bytes in /metrics tells how much there is, `heaptrack --pid` who asked for it",
    )
}

/// A CPU profile in pprof's format: `go tool pprof http://…/debug/pprof/profile?seconds=10`.
async fn profile(Query(options): Query<ProfileOptions>) -> Result<Response, Problem> {
    if !(1..=LONGEST_PROFILE).contains(&options.seconds) {
        let problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-argument",
            "no profile of this length",
        );
        return Err(problem
            .field("seconds", format!("is {}; expected 1 to {LONGEST_PROFILE}", options.seconds)));
    }
    let failed = |error: &dyn std::fmt::Display| {
        Problem::new(StatusCode::CONFLICT, "profiling-failed", error.to_string())
    };
    let guard = pprof::ProfilerGuard::new(FREQUENCY).map_err(|error| failed(&error))?;
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let report = guard.report().frames_post_processor(drop_profiler).build();
    let report = report.map_err(|error| failed(&error))?;
    let profile = report.pprof().map_err(|error| failed(&error))?;
    let bytes = pprof::protos::Message::encode_to_vec(&profile);
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], bytes)
        .into_response())
}

#[cfg(test)]
mod tests {
    use pprof::protos::{Message, Profile};

    use super::*;

    #[inline(never)]
    fn knit(rows: u64) -> u64 {
        (0..rows).fold(1, |wool, row| std::hint::black_box(wool ^ row).rotate_left(7))
    }

    /// The names of a stack's functions, the innermost first.
    fn names<'a>(profile: &'a Profile, locations: &[u64]) -> Vec<&'a str> {
        let at = |id: &u64| profile.location.iter().find(|location| location.id == *id);
        let lines = locations.iter().filter_map(at).flat_map(|location| &location.line);
        let functions = lines.filter_map(|line| {
            profile.function.iter().find(|function| function.id == line.function_id)
        });
        functions.map(|function| profile.string_table[function.name as usize].as_str()).collect()
    }

    /// A second of work on another thread, and the name of who did it.
    #[tokio::test]
    async fn a_profile_names_who_worked() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let busy = std::thread::spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                knit(100_000);
            }
        });
        let answer = profile(Query(ProfileOptions { seconds: 1 })).await.unwrap();
        drop(stop);
        busy.join().unwrap();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let profile = Profile::decode(bytes).unwrap();
        let stacks: Vec<_> =
            profile.sample.iter().map(|sample| names(&profile, &sample.location_id)).collect();
        let ours: Vec<_> =
            stacks.iter().filter(|names| names.iter().any(|name| name.contains("knit"))).collect();
        assert!(!ours.is_empty(), "{} stacks, none of them ours", stacks.len());
        // Other tests run in this process, and some of them take stacks themselves.
        let sampled = ours
            .iter()
            .any(|names| names.iter().any(|name| PROFILER.iter().any(|word| name.contains(word))));
        assert!(!sampled, "{ours:#?}");
    }

    #[tokio::test]
    async fn there_is_no_heap_profile_and_it_says_why() {
        let problem = heap().await;
        assert_eq!(problem.status, 501);
        assert!(problem.detail.contains("glibc"), "{}", problem.detail);
    }
}
