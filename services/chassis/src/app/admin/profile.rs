//! CPU profiles in pprof's format: one at a time, on a thread of their own.

use std::{thread, time::Duration};

use axum::{
    extract::Query,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::{error::chain, http::Problem};

#[derive(Deserialize)]
pub(super) struct ProfileOptions {
    #[serde(default = "default_seconds")]
    seconds: u64,
}

fn default_seconds() -> u64 {
    10
}

/// Seconds: for two busy cores, the profiler's buffer holds as much.
const LONGEST_PROFILE: u64 = 60;

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
    let duration = Duration::from_secs(options.seconds);
    let (answer, answered) = oneshot::channel();
    // Not a thread of the runtime: the runtime waits for its threads when the service stops.
    let recorded = thread::Builder::new().name("profile".into()).spawn(move || {
        let profile = profiler::record(duration, || answer.is_closed());
        drop(answer.send(profile));
    });
    let failed = |status, detail| Problem::new(status, "profiling-failed", detail);
    recorded.map_err(|error| failed(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let recorded = answered.await.map_err(|_panicked| {
        failed(StatusCode::INTERNAL_SERVER_ERROR, "the profiler panicked".to_owned())
    })?;
    let bytes = recorded.map_err(refused)?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], bytes)
        .into_response())
}

fn refused(error: profiler::Error) -> Problem {
    let detail = chain(&error);
    match error {
        profiler::Error::Busy => {
            let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "profiling", detail);
            problem.retry_after = Some(1);
            problem
        }
        profiler::Error::Unsupported => {
            Problem::new(StatusCode::NOT_IMPLEMENTED, "no-cpu-profile", detail)
        }
        profiler::Error::Refused { .. } => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "profiling-failed", detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_profile_is_refused_while_one_is_taken() {
        let ask = |seconds| profile(Query(ProfileOptions { seconds }));
        let mut first = Box::pin(ask(60));
        let refused = loop {
            tokio::select! {
                // The second request came first and made this one fail.
                _refused = &mut first => first = Box::pin(ask(60)),
                second = ask(1) => if let Err(problem) = second {
                    break problem;
                },
            }
        };
        assert_eq!((refused.status, refused.retry_after), (429, Some(1)));
        // The client of the first request is gone: the next profile need not wait for a minute.
        drop(first);
        while ask(1).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_profile_has_at_least_a_second_and_at_most_a_minute() {
        for seconds in [0, 61, u64::MAX] {
            let refused = profile(Query(ProfileOptions { seconds })).await.unwrap_err();
            assert_eq!(refused.status, 422, "{seconds}");
        }
    }

    #[test]
    fn where_there_is_no_profiler_the_answer_says_so() {
        let problem = refused(profiler::Error::Unsupported);
        assert_eq!(problem.status, 501);
        assert!(problem.detail.contains("Linux"), "{}", problem.detail);
    }
}
