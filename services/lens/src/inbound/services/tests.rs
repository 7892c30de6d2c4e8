//! Services whose admin ports are made for these tests.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use chassis::http::{Json, Problem};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::inbound::tests::TestLens;

const METRICS: &str = "\
process_start_time_seconds 1767323000
process_resident_memory_bytes 1048576
mesh_build_info{service=\"payments\",version=\"0.1.0\",revision=\"709ad7e12345\"} 1
mesh_ready 0
mesh_degraded{condition=\"kafka\"} 1
";

/// An admin port that is not ready, and whose second profile is refused.
fn admin_port() -> Router {
    let readiness = json!({ "service": "payments", "ready": false, "missing": ["database"] });
    let config = json!([{ "key": "nats.url", "value": "***", "source": "default" }]);
    let busy = || async {
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "profiling", "one at a time");
        problem.retry_after = Some(7);
        problem
    };
    Router::new()
        .route("/metrics", get(|| async { METRICS }))
        .route("/livez", get(|| async { "ok" }))
        .route(
            "/readyz",
            get(|| async { (StatusCode::SERVICE_UNAVAILABLE, Json(readiness)).into_response() }),
        )
        .route("/config", get(|| async { Json(config) }))
        .route("/log-level", get(|| async { Json(json!({ "level": "info" })) }).put(set_level))
        .route("/debug/pprof/profile", get(busy))
}

async fn set_level(Json(change): Json<Value>) -> Result<Json<Value>, Problem> {
    if change["level"] == "wrong" {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid-argument", "no such level"));
    }
    Ok(Json(json!({ "level": change["level"], "for": change["for"] })))
}

struct Mesh {
    lens: TestLens,
    address: String,
    _tasks: JoinSet<()>,
}

/// A lens that has asked `payments`, which answers as `router` does, and `shipping`, which is down.
async fn mesh(router: Router) -> Mesh {
    let mut tasks = JoinSet::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let targets = BTreeMap::from([
        ("payments".to_owned(), format!("http://{address}/metrics")),
        ("shipping".to_owned(), "http://127.0.0.1:1/metrics".to_owned()),
    ]);
    let lens = TestLens::asking(&targets);
    lens.scraper.scrape().await;
    Mesh { lens, address, _tasks: tasks }
}

impl Mesh {
    /// The only replica of an answer.
    async fn replica(&self, path: &str) -> Value {
        let answer = self.lens.answer(&format!("/lens/v1/services/{path}")).await;
        assert_eq!(answer["replicas"].as_array().unwrap().len(), 1, "{answer}");
        answer["replicas"][0].clone()
    }

    async fn send(
        &self,
        request: axum::http::request::Builder,
        body: &Value,
    ) -> (StatusCode, Value) {
        let request = request.header(header::HOST, "localhost");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let body = if body.is_null() { Body::empty() } else { body.to_string().into() };
        let (status, body) = self.lens.ask(request.body(body).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn put(&self, service: &str, body: Value) -> (StatusCode, Value) {
        let path = format!("/lens/v1/services/{service}/log-level");
        self.send(Request::put(path), &body).await
    }
}

#[tokio::test]
async fn every_service_is_listed_with_what_its_metrics_say_also_one_that_is_down() {
    let mesh = mesh(admin_port()).await;
    let listed = mesh.lens.answer("/lens/v1/services?window=60s&points=12").await;
    let [payments, shipping] = listed["items"].as_array().unwrap().as_slice() else {
        panic!("{listed}")
    };
    assert_eq!((&payments["up"], &payments["ready"]), (&json!(true), &json!(false)));
    assert_eq!((&payments["version"], &payments["restarts"]), (&json!("0.1.0"), &json!(0)));
    assert_eq!(payments["degraded"], json!(["kafka"]));
    let memory = payments["over_window"]["memory_bytes"].as_array().unwrap();
    assert_eq!((memory.len(), &memory[11]), (12, &json!(1_048_576)));
    assert_eq!((&shipping["up"], &shipping["ready"]), (&json!(false), &Value::Null));
    assert!(shipping["down_since"].is_string(), "{shipping}");
    let (status, problem) = mesh.lens.get("/lens/v1/services?points=121").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["detail"].as_str().unwrap().contains("up to 120"), "{problem}");
}

#[tokio::test]
async fn a_process_with_another_start_time_is_a_restart() {
    let started = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(100));
    let counter = std::sync::Arc::clone(&started);
    let metrics = move || async move {
        let seconds = counter.load(std::sync::atomic::Ordering::Relaxed);
        format!("process_start_time_seconds {seconds}\n")
    };
    let mesh = mesh(Router::new().route("/metrics", get(metrics))).await;
    for (seconds, restarts) in [(100, 0), (200, 1), (200, 1), (300, 2)] {
        started.store(seconds, std::sync::atomic::Ordering::Relaxed);
        mesh.lens.scraper.scrape().await;
        assert_eq!(mesh.replica("payments/build").await["restarts"], restarts, "{seconds}");
    }
}

#[tokio::test]
async fn a_replica_answers_with_its_settings_and_its_latches_also_when_it_is_not_ready() {
    let mesh = mesh(admin_port()).await;
    let config = mesh.replica("payments/config").await;
    assert_eq!(config["config"][0]["key"], "nats.url");
    assert_eq!(config["instance"], mesh.address);
    let one = mesh.replica(&format!("payments@{}/readiness", mesh.address)).await;
    assert_eq!(one["readiness"]["missing"], json!(["database"]));
    assert_eq!((&one["up"], &one["ready"]), (&json!(true), &json!(false)));
    let build = mesh.replica("payments/build").await;
    assert_eq!((&build["version"], &build["revision"]), (&json!("0.1.0"), &json!("709ad7e12345")));
    assert!(build["uptime_seconds"].as_f64().unwrap() > 0.0, "{build}");
}

#[tokio::test]
async fn a_service_that_is_down_answers_with_what_is_known() {
    let mesh = mesh(admin_port()).await;
    for page in ["config", "readiness", "log-level", "build"] {
        let shipping = mesh.replica(&format!("shipping/{page}")).await;
        assert_eq!(shipping["up"], false, "{page}");
        assert!(shipping["error"].as_str().unwrap().contains("refused"), "{shipping}");
        assert!(shipping["down_since"].is_string(), "{shipping}");
    }
    let (status, problem) = mesh.put("shipping", json!({ "level": "debug", "minutes": 1 })).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{problem}");
}

#[tokio::test]
async fn only_listed_paths_of_scraped_services_lead_to_an_admin_port() {
    let mesh = mesh(admin_port()).await;
    let elsewhere = format!("shipping@{}", mesh.address);
    for path in [
        "payments/livez",
        "payments/debug/pprof/profile",
        "payments/config/..",
        "payments%2Flivez/config",
        "stranger/config",
        "payments@127.0.0.1:1/config",
        &format!("{elsewhere}/config"),
    ] {
        let request = Request::get(format!("/lens/v1/services/{path}"));
        let (status, _) = mesh.lens.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_log_level_is_set_for_some_minutes() {
    let mesh = mesh(admin_port()).await;
    assert_eq!(mesh.replica("payments/log-level").await["log_level"]["level"], "info");
    let (status, set) = mesh.put("payments", json!({ "level": "debug", "minutes": 10 })).await;
    assert_eq!(status, StatusCode::OK, "{set}");
    assert_eq!(set["replicas"][0]["log_level"], json!({ "level": "debug", "for": "10m" }));
    let (status, refused) = mesh.put("payments", json!({ "level": "wrong", "minutes": 10 })).await;
    assert_eq!((status, &refused["detail"]), (StatusCode::BAD_REQUEST, &json!("no such level")));
    let long = "x".repeat(201);
    for (body, field) in [
        (json!({ "level": "debug", "minutes": 0 }), "minutes"),
        (json!({ "level": "debug", "minutes": 61 }), "minutes"),
        (json!({ "level": "", "minutes": 1 }), "level"),
        (json!({ "level": long, "minutes": 1 }), "level"),
    ] {
        let (status, problem) = mesh.put("payments", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_can_neither_set_a_level_nor_take_a_profile() {
    let mesh = mesh(admin_port()).await;
    let path = "/lens/v1/services/payments";
    for request in [
        Request::put(format!("{path}/log-level")).header("origin", "http://evil.example"),
        Request::get(format!("{path}/profile")).header("sec-fetch-site", "cross-site"),
    ] {
        let (status, problem) =
            mesh.send(request, &json!({ "level": "debug", "minutes": 1 })).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
        assert_eq!(problem["type"], "/problems/foreign-origin");
    }
}

#[tokio::test]
async fn the_refusal_of_a_second_profile_is_passed_on() {
    let mesh = mesh(admin_port()).await;
    let path = "/lens/v1/services/payments/profile?seconds=1";
    let (status, problem) = mesh.send(Request::get(path), &Value::Null).await;
    assert_eq!((status, &problem["detail"]), (429.try_into().unwrap(), &json!("one at a time")));
    for seconds in ["0", "31", "x"] {
        let path = format!("/lens/v1/services/payments/profile?seconds={seconds}");
        let (status, problem) = mesh.send(Request::get(path), &Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let endless = || async { Json(json!("x".repeat(300 << 10))) };
    let router = Router::new()
        .route("/metrics", get(|| async { METRICS }))
        .route("/config", get(endless))
        .route("/readyz", get(|| async { "no JSON" }));
    let mesh = mesh(router).await;
    let config = mesh.replica("payments/config").await;
    assert!(config["error"].as_str().unwrap().contains("more than"), "{config}");
    let readiness = mesh.replica("payments/readiness").await;
    assert!(readiness["error"].as_str().unwrap().contains("invalid JSON"), "{readiness}");
}
