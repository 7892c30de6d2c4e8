//! An operator looks into the services through the gateway: settings, log levels, profiles.

use harness::{Answer, Gateway, Options, until};
use reqwest::Method;
use serde_json::json;

use super::profiles::{complete_one, profile_under_load};

const LEVEL: &str = "/lens/v1/services/payments/log-level";
/// The line that payments logs at `debug` for each event.
const LINE: &str = "events processed";

async fn set_level(gateway: &Gateway, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "level": "debug", "minutes": 30 }).to_string();
    gateway.send(Method::PUT, LEVEL, headers, Some(&body)).await
}

/// The debug lines of payments that lens has.
async fn debug_lines(gateway: &Gateway) -> usize {
    let path = "/lens/v1/logs?service=payments&severity=debug&limit=1000";
    let lines = gateway.get(path).await;
    let lines = lines.body["items"].as_array().cloned().unwrap_or_default();
    lines.iter().filter(|line| line["body"] == LINE).count()
}

/// A level that is set through the gateway appears in the log, and ends by itself.
pub(crate) async fn a_log_level_set_through_the_gateway_shows_more_and_reverts(options: Options) {
    let mesh = options.with_lens().start().await;
    let gateway = mesh.gateway();
    let foreign = set_level(&gateway, &[("origin", "http://evil.example")]).await;
    assert_eq!((foreign.status, foreign.text("/type")), (403, "/problems/foreign-origin"));
    complete_one(&mesh).await;
    let level = gateway.get(LEVEL).await;
    assert_eq!(level.text("/replicas/0/log_level/level"), "info", "{level:?}");
    assert_eq!(debug_lines(&gateway).await, 0);

    let set = set_level(&gateway, &[]).await;
    assert_eq!((set.status, set.text("/replicas/0/log_level/level")), (200, "debug"), "{set:?}");
    assert!(!set.text("/replicas/0/log_level/until").is_empty(), "{set:?}");
    complete_one(&mesh).await;
    until("a debug line of payments", || async { (debug_lines(&gateway).await > 0).then_some(()) })
        .await;

    // A shorter change replaces it. Its end restores the level of the configuration.
    let admin = mesh.service("payments").await.admin.expect("its port");
    let shorter = json!({ "level": "trace", "for": "1s" }).to_string();
    let request = reqwest::Client::new().put(format!("{admin}/log-level"));
    let request = request.header("content-type", "application/json").body(shorter);
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    until("the level to revert", || async {
        let level = gateway.get(LEVEL).await;
        (level.text("/replicas/0/log_level/level") == "info").then_some(())
    })
    .await;
}

/// Settings are shown with their sources and without secrets. Only listed paths lead to an admin port.
pub(crate) async fn settings_are_shown_through_the_gateway_without_secrets(options: Options) {
    let options = options.set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter2");
    let mesh = options.with_lens().start().await;
    let gateway = mesh.gateway();
    let shown = gateway.get("/lens/v1/services/orders/config").await;
    assert_eq!(shown.status, 200);
    let text = shown.body.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    let settings = shown.body["replicas"][0]["config"].as_array().expect("settings");
    let headers = settings.iter().find(|one| one["key"] == "telemetry.headers");
    let headers = headers.expect("the setting with the secret");
    assert_eq!(headers["value"], "***");
    assert!(headers["source"].as_str().expect("text").contains("OTEL_EXPORTER_OTLP_HEADERS"));
    let ready = gateway.get("/lens/v1/services/orders/readiness").await;
    assert_eq!(ready.body["replicas"][0]["readiness"]["ready"], true, "{ready:?}");
    for path in ["debug/pprof/profile", "metrics/families", "livez"] {
        let answer = gateway.get(&format!("/lens/v1/services/orders/{path}")).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
}

/// A profile of a busy service names the functions that ran.
pub(crate) async fn a_profile_taken_through_the_gateway_has_frames_with_names(options: Options) {
    let mesh = options.with_lens().start().await;
    let url = format!("http://127.0.0.1:{}/lens/v1/services/gateway/profile", mesh.base());
    let text = profile_under_load(&mesh, &format!("{url}?seconds=3")).await;
    for name in ["tokio::runtime::", "gateway::"] {
        assert!(text.contains(name), "{name} is in no name of {} bytes", text.len());
    }
}

/// A service that is killed is listed as down, and as restarted when it is back.
pub(crate) async fn a_restart_is_counted(options: Options) {
    let mesh = options.with_lens().start().await;
    let restarts = || async {
        let build = mesh.gateway().get("/lens/v1/services/shipping/build").await;
        build.body["replicas"][0]["restarts"].as_u64()
    };
    until("lens to know shipping", || async {
        let build = mesh.gateway().get("/lens/v1/services/shipping/build").await;
        (!build.text("/replicas/0/version").is_empty()).then_some(())
    })
    .await;
    assert_eq!(restarts().await, Some(0));
    mesh.kill("shipping").await;
    until("the restart to be counted", || async { (restarts().await == Some(1)).then_some(()) })
        .await;
}
