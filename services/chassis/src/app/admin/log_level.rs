//! The log level of this process, and changes of it that end by themselves.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::Admin;
use crate::{
    http::{Json, Problem},
    telemetry::LogLevel,
    text::printable,
};

/// The longest time for which a level may be set: a change for longer belongs into the configuration.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The most characters of directives: enough for one of each module.
const LONGEST_DIRECTIVES: usize = 1024;

/// The filter of the log lines, which goes back by itself to the permanent one when a temporary one ends. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogSwitch {
    level: LogLevel,
    state: Arc<watch::Sender<Directives>>,
}

struct Directives {
    /// From the configuration, or the last change without an end.
    permanent: String,
    temporary: Option<Temporary>,
}

struct Temporary {
    directives: String,
    until: SystemTime,
    deadline: Instant,
}

/// The body of a change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    level: String,
    #[serde(default, rename = "for")]
    lasts: Option<String>,
}

/// The answer to a client that accepts JSON.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Shown {
    /// The directives that were set.
    level: String,
    /// What they become at `until`: the directives of the configuration, or of the last change without an end.
    permanent: String,
    until: Option<String>,
    /// All effective directives, with those for libraries.
    filter: String,
}

impl LogSwitch {
    /// A switch that has the directives of the configuration now.
    pub(crate) fn new(level: LogLevel, configured: &str) -> Self {
        let directives = Directives { permanent: configured.to_owned(), temporary: None };
        Self { level, state: Arc::new(watch::Sender::new(directives)) }
    }

    fn shown(&self) -> Shown {
        let state = self.state.borrow();
        let temporary = state.temporary.as_ref();
        let until =
            |temporary: &Temporary| humantime::format_rfc3339_seconds(temporary.until).to_string();
        Shown {
            level: temporary.map_or(&state.permanent, |now| &now.directives).clone(),
            permanent: state.permanent.clone(),
            until: temporary.map(until),
            filter: self.level.get(),
        }
    }

    /// Sets directives: for some time, or until the next change.
    fn set(&self, directives: &str, lasts: Option<Duration>) -> Result<(), String> {
        let mut result = Ok(());
        // Within the lock, so that the end of an earlier change cannot undo this one.
        self.state.send_if_modified(|state| {
            result = self.level.set(directives).map(drop);
            if result.is_err() {
                return false;
            }
            state.temporary = lasts.map(|lasts| Temporary {
                directives: directives.to_owned(),
                until: SystemTime::now() + lasts,
                deadline: Instant::now() + lasts,
            });
            if lasts.is_none() {
                directives.clone_into(&mut state.permanent);
            }
            true
        });
        result
    }

    /// Ends the temporary directives if their time is over.
    fn revert(&self) {
        let mut reverted = None;
        self.state.send_if_modified(|state| {
            let is_over = |now: &mut Temporary| now.deadline <= Instant::now();
            let Some(ended) = state.temporary.take_if(is_over) else { return false };
            // They were parsed before.
            self.level.set(&state.permanent).ok();
            reverted = Some((ended.directives, state.permanent.clone()));
            true
        });
        if let Some((ended, directives)) = reverted {
            tracing::info!(directives, ended, "log level reverted");
        }
    }

    /// Reverts each temporary change at its end. Runs as long as the process.
    pub(crate) async fn revert_when_due(self) {
        let mut changes = self.state.subscribe();
        loop {
            let deadline = changes.borrow_and_update().temporary.as_ref().map(|now| now.deadline);
            let due = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = due => self.revert(),
            }
        }
    }
}

/// `GET /log-level`: the effective directives as text, or all that is known about them as JSON.
pub(super) async fn get(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    answer(&admin.level, names_json(&headers, &header::ACCEPT))
}

/// `PUT /log-level`: directives as text until the next change, or `{"level": "debug", "for": "10m"}`.
pub(super) async fn put(
    State(admin): State<Arc<Admin>>,
    request: Request,
) -> Result<Response, Problem> {
    let is_json = names_json(request.headers(), &header::CONTENT_TYPE);
    let change = if is_json {
        let Json(change) = Json::<Change>::from_request(request, &()).await?;
        change
    } else {
        let text = String::from_request(request, &()).await;
        let level = text.map_err(|error| refused("body", error.body_text()))?;
        Change { level, lasts: None }
    };
    let field = if is_json { "level" } else { "body" };
    let directives = change.level.trim();
    if directives.len() > LONGEST_DIRECTIVES {
        let length = directives.len();
        let what = format!("has {length} bytes; expected at most {LONGEST_DIRECTIVES}");
        return Err(refused(field, what));
    }
    let lasts = change.lasts.as_deref().map(duration).transpose();
    let lasts = lasts.map_err(|what| refused("for", what))?;
    admin.level.set(directives, lasts).map_err(|error| {
        let expected = "expected directives as info,chassis=debug";
        refused(field, format!("{}; {expected}", printable(&error, 200)))
    })?;
    let lasts = lasts.map(|lasts| humantime::format_duration(lasts).to_string());
    tracing::info!(directives, lasts, "log level changed");
    Ok(answer(&admin.level, is_json))
}

fn answer(level: &LogSwitch, is_json: bool) -> Response {
    let shown = level.shown();
    if is_json { axum::Json(shown).into_response() } else { (shown.filter + "\n").into_response() }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).ok();
    parsed.filter(|lasts| (Duration::from_secs(1)..=LONGEST).contains(lasts)).ok_or_else(|| {
        format!("is {:?}; expected a duration from 1s to 24h, as 10m", printable(text, 50))
    })
}

fn refused(field: &str, what: String) -> Problem {
    let detail = format!("the log level was not changed: {field} {what}");
    Problem::new(StatusCode::BAD_REQUEST, "invalid-argument", detail).field(field, what)
}

fn names_json(headers: &HeaderMap, name: &header::HeaderName) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.to_ascii_lowercase().contains("application/json")
}

#[cfg(test)]
mod tests;
