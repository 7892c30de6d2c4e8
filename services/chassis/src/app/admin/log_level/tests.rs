use axum::body::to_bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;
use crate::{metrics::Registry, readiness::Readiness};

/// An admin port whose filter accepts any directives but `wrong`, and the directives that are set.
fn admin() -> (State<Arc<Admin>>, Arc<Mutex<String>>) {
    let set = Arc::new(Mutex::new("info".to_owned()));
    let known = Arc::clone(&set);
    let level = LogLevel::for_tests(move |wanted| {
        if wanted == Some("wrong") {
            return Err("no such level".into());
        }
        if let Some(wanted) = wanted {
            wanted.clone_into(&mut known.lock());
        }
        Ok(format!("h2=warn,{}", known.lock()))
    });
    let registry = Registry::new();
    let admin = Admin {
        service: "orders",
        readiness: Readiness::new(&registry).unwrap(),
        registry,
        level: LogSwitch::new(level, "info"),
        effective: Vec::new(),
    };
    (State(Arc::new(admin)), set)
}

async fn change(admin: &State<Arc<Admin>>, body: &Value) -> Result<Value, Problem> {
    let request = http::Request::put("/log-level").header("content-type", "application/json");
    let answer = put(admin.clone(), request.body(body.to_string().into()).unwrap()).await?;
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    Ok(serde_json::from_slice(&body).unwrap())
}

/// Waits with the paused clock, which goes on when nothing else can run.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_level_for_some_time_reverts_to_the_permanent_one() {
    let (admin, set) = admin();
    let mut tasks = JoinSet::new();
    tasks.spawn(admin.level.clone().revert_when_due());
    let answer = change(&admin, &json!({ "level": "debug", "for": "10m" })).await.unwrap();
    assert_eq!((&answer["level"], &answer["permanent"]), (&json!("debug"), &json!("info")));
    assert_eq!(answer["filter"], "h2=warn,debug");
    assert!(answer["until"].is_string(), "{answer}");
    // Another change for some time replaces it, and does not become the permanent one.
    change(&admin, &json!({ "level": "trace", "for": "20m" })).await.unwrap();
    let begun = Instant::now();
    until(|| *set.lock() == "info").await;
    let minutes = begun.elapsed().as_secs() / 60;
    assert_eq!(minutes, 20, "at its own end, not that of the first");
    let shown = admin.level.shown();
    assert_eq!((shown.level.as_str(), shown.until), ("info", None));
}

#[tokio::test(start_paused = true)]
async fn a_change_without_an_end_stays() {
    let (admin, set) = admin();
    let mut tasks = JoinSet::new();
    tasks.spawn(admin.level.clone().revert_when_due());
    change(&admin, &json!({ "level": "debug", "for": "1m" })).await.unwrap();
    let answer = change(&admin, &json!({ "level": "warn" })).await.unwrap();
    assert_eq!((&answer["permanent"], &answer["until"]), (&json!("warn"), &Value::Null));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(*set.lock(), "warn");
}

#[tokio::test]
async fn text_is_set_and_answered_as_text() {
    let (admin, _) = admin();
    let request = http::Request::put("/log-level").body("info,chassis=debug\n".into()).unwrap();
    let answer = put(admin.clone(), request).await.unwrap();
    let text = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    assert_eq!(text, "h2=warn,info,chassis=debug\n");
}

#[tokio::test]
async fn a_wrong_change_names_the_input_and_changes_nothing() {
    let (admin, set) = admin();
    let long = "x".repeat(LONGEST_DIRECTIVES + 1);
    for (body, field, text) in [
        (json!({ "level": "debug", "for": "25h" }), "for", "1s to 24h"),
        (json!({ "level": "debug", "for": "0s" }), "for", "1s to 24h"),
        (json!({ "level": "debug", "for": "soon" }), "for", "\"soon\""),
        (json!({ "level": "wrong", "for": "1m" }), "level", "no such level"),
        (json!({ "level": long }), "level", "1025 bytes"),
    ] {
        let problem = change(&admin, &body).await.unwrap_err();
        assert_eq!((problem.status, &*problem.errors[0].field), (400, field), "{body}");
        assert!(problem.errors[0].detail.contains(text), "{problem:?}");
    }
    let problem = change(&admin, &json!({ "level": "debug", "fro": "1m" })).await.unwrap_err();
    assert!(format!("{problem:?}").contains("fro"), "{problem:?}");
    assert_eq!(admin.level.shown().until, None);
    assert_eq!(*set.lock(), "info");
}
