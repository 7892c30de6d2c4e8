//! CPU profiles in pprof's format: one at a time, on another thread than the service's, and only where there is memory for it.

use std::time::Duration;

use axum::{
    extract::Query,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::http::Problem;

#[derive(Deserialize)]
pub(super) struct ProfileOptions {
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

/// The profiler has one set of counters a process.
static RUNNING: Semaphore = Semaphore::const_new(1);

/// What the profiler's counters and the names of functions take, rounded up from 166 MB that were seen; most of it stays until the process ends.
const MEMORY: u64 = 200 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// The limit of this process' memory and what is used of it; `None` where there is no limit.
async fn limit() -> Option<(u64, u64)> {
    const CGROUP: &str = "/sys/fs/cgroup";
    let own = tokio::fs::read_to_string("/proc/self/cgroup").await.ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?.trim().to_owned();
    // Within a container it is `/`; outside, the limit may be any parent's.
    let mut folder = format!("{CGROUP}{path}");
    while folder.starts_with(CGROUP) {
        let number = async |name: &str| {
            let text = tokio::fs::read_to_string(format!("{folder}/{name}")).await.ok()?;
            text.trim().parse::<u64>().ok()
        };
        if let (Some(limit), Some(used)) =
            (number("memory.max").await, number("memory.current").await)
        {
            return Some((limit, used));
        }
        folder.truncate(folder.rfind('/')?);
    }
    None
}

/// Memory that is not there would end the process, and with it what the profile was to explain.
fn fits(limit: Option<(u64, u64)>) -> Result<(), Box<Problem>> {
    match limit {
        Some((limit, used)) if limit.saturating_sub(used) < MEMORY => {
            let detail = format!(
                "a profile takes up to {} MiB, and of the {} MiB that this process may have {} are left; \
                 raise the limit for it, or profile the service where it has none",
                MEMORY / MIB,
                limit / MIB,
                limit.saturating_sub(used) / MIB,
            );
            Err(Box::new(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no-memory-for-a-profile",
                detail,
            )))
        }
        _ => Ok(()),
    }
}

/// A CPU profile in pprof's format: `go tool pprof http://…/debug/pprof/profile?seconds=10`.
pub(super) async fn profile(Query(options): Query<ProfileOptions>) -> Result<Response, Problem> {
    if !(1..=LONGEST_PROFILE).contains(&options.seconds) {
        let problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-argument",
            "no profile of this length",
        );
        return Err(problem
            .field("seconds", format!("is {}; expected 1 to {LONGEST_PROFILE}", options.seconds)));
    }
    let Ok(running) = RUNNING.try_acquire() else {
        let detail = "another profile is being taken, and one at a time is";
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "profiling", detail);
        problem.retry_after = Some(1);
        return Err(problem);
    };
    fits(limit().await).map_err(|problem| *problem)?;
    let failed = |error: pprof::Error| {
        Problem::new(StatusCode::CONFLICT, "profiling-failed", error.to_string())
    };
    let guard = pprof::ProfilerGuard::new(FREQUENCY).map_err(failed)?;
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    // Looking up names takes most of a second, which is another thread's.
    let built = tokio::task::spawn_blocking(move || {
        let report = guard.report().frames_post_processor(drop_profiler).build()?;
        report.pprof().map(|profile| pprof::protos::Message::encode_to_vec(&profile))
    });
    let bytes = match built.await {
        Ok(built) => built.map_err(failed)?,
        Err(_panicked) => return Err(failed(pprof::Error::CreatingError)),
    };
    drop(running);
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
    async fn one_profile_at_a_time() {
        let _taken = RUNNING.acquire().await.unwrap();
        let refused = profile(Query(ProfileOptions { seconds: 1 })).await.unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (429, Some(1)));
    }

    #[test]
    fn a_profile_that_would_end_the_process_is_refused() {
        const MIB: u64 = 1024 * 1024;
        assert!(fits(None).is_ok());
        assert!(fits(Some((1024 * MIB, 100 * MIB))).is_ok());
        let refused = fits(Some((32 * MIB, 20 * MIB))).unwrap_err();
        assert_eq!(refused.status, 503);
        assert!(refused.detail.contains("32 MiB"), "{}", refused.detail);
    }
}
