//! Kafka over TLS with a login, and the cache over TLS. This needs the released binary, since other builds have no TLS for
//! Kafka.
//!
//! An error message names its cause, and no secret appears in it.

use harness::{Mesh, Options, until};
use serde_json::Value;

use crate::{parts, stories};

/// The password of the user `mesh` of every part, as in `parts.sh`; and a wrong one.
const PASSWORD: &str = "secret of mesh";
const WRONG: &str = "another secret";

const LOGIN: [(&str, &str); 3] = [
    ("MESH_KAFKA__SASL__MECHANISM", "SCRAM-SHA-512"),
    ("MESH_KAFKA__SASL__USERNAME", "mesh"),
    ("MESH_KAFKA__SASL__PASSWORD", PASSWORD),
];

/// A mesh at one of Kafka's addresses over TLS; it verifies the certificate.
fn over_tls(kafka: &str) -> Options {
    crate::on(&parts::variable("SHIPPED_MESH"), &parts::further("kafka", kafka))
        .set("MESH_KAFKA__TLS__ENABLED", "true")
        .set("MESH_KAFKA__TLS__CA_FILE", &parts::certificate("kafka", "ca.pem"))
        .set("MESH_REDIS__URL", &redis("127.0.0.1", PASSWORD))
        // A TLS handshake takes longer than a query, on a busy machine much longer.
        .set("MESH_REDIS__TIMEOUT", "2s")
        .set("MESH_REDIS__TLS__CA_FILE", &parts::certificate("valkey", "ca.pem"))
}

fn with(options: Options, settings: &[(&str, &str)]) -> Options {
    settings.iter().fold(options, |options, (name, value)| options.set(name, value))
}

fn redis(host: &str, password: &str) -> String {
    let port = parts::further("valkey", "tls").rsplit(':').next().map(str::to_owned);
    let password = password.replace(' ', "%20");
    format!("rediss://mesh:{password}@{host}:{}", port.unwrap_or_default())
}

/// `mesh topics` at one of Kafka's addresses.
fn topics(kafka: &str) -> [String; 3] {
    ["topics".into(), "--set".into(), format!("kafka.brokers={}", parts::further("kafka", kafka))]
}

/// What `/readyz` of a service says: the missing latches, and the reasons of conditions by name.
async fn readiness(mesh: &Mesh, service: &str) -> (Vec<String>, Vec<(String, String)>) {
    until(&format!("the readiness of {service}"), || async {
        let state: Value = serde_json::from_str(&mesh.admin(service, "/readyz").await?).ok()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let missing = state["missing"].as_array()?.iter().map(text).collect();
        let degraded = state["degraded"].as_array()?.iter();
        Some((missing, degraded.map(|one| (text(&one["name"]), text(&one["reason"]))).collect()))
    })
    .await
}

async fn until_degraded(mesh: &Mesh, service: &str, condition: &str, because: &str) {
    let last = std::cell::RefCell::default();
    let found = async {
        loop {
            let (_, degraded) = readiness(mesh, service).await;
            if degraded.iter().any(|(name, why)| name == condition && why.contains(because)) {
                return;
            }
            last.replace(degraded);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let found = tokio::time::timeout(harness::PATIENCE, found).await;
    assert!(
        found.is_ok(),
        "{service} does not report {condition}: {because}, but {:?}",
        last.take()
    );
}

/// No password is in the log, in the configuration that services show, or in the output of a command.
async fn no_secret_is_shown(mesh: &Mesh) {
    let mut said = vec![mesh.log()];
    for service in ["gateway", "catalog", "orders"] {
        said.extend(mesh.admin(service, "/config").await);
        said.extend(mesh.admin(service, "/readyz").await);
    }
    for command in [&["config", "catalog"][..], &["dlq", "list"], &["status"]] {
        let output = mesh.run(command).await;
        said.extend(
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into()),
        );
    }
    for text in said {
        for secret in [PASSWORD, WRONG, &PASSWORD.replace(' ', "%20"), "PRIVATE KEY"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
#[ignore = "needs Kafka, Valkey, NATS and PostgreSQL: .ci/run has them"]
async fn one_order_is_one_trace() {
    stories::trace::one_order_is_one_trace(with(over_tls("tls"), &LOGIN)).await;
}

#[tokio::test]
#[ignore = "needs Kafka, Valkey, NATS and PostgreSQL: .ci/run has them"]
async fn every_sasl_mechanism_and_a_client_certificate_work() {
    let logins = ["PLAIN", "SCRAM-SHA-256"].map(|mechanism| {
        let options = with(over_tls("tls"), &LOGIN);
        ("tls", options.set("MESH_KAFKA__SASL__MECHANISM", mechanism))
    });
    let certificate = over_tls("mutual")
        .set("MESH_KAFKA__TLS__CERTIFICATE_FILE", &parts::certificate("kafka", "client.crt"))
        .set("MESH_KAFKA__TLS__KEY_FILE", &parts::certificate("kafka", "client.key"));
    for (kafka, options) in logins.into_iter().chain([("mutual", certificate)]) {
        let mesh = options.start().await;
        let order = mesh.gateway().place("tok_ok").await;
        mesh.gateway().until_status(&order, "completed").await;
        crate::cache::until_told(&mesh, "hit").await;
        mesh.audit().await;
        for command in [&topics(kafka)[..], &["dlq".into(), "list".into()]] {
            let command: Vec<_> = command.iter().map(String::as_str).collect();
            let output = mesh.run(&command).await;
            assert!(output.status.success(), "{command:?}: {output:?}");
        }
        no_secret_is_shown(&mesh).await;
    }
}

#[tokio::test]
#[ignore = "needs Kafka, Valkey, NATS and PostgreSQL: .ci/run has them"]
async fn a_failed_tls_handshake_with_kafka_is_reported_with_its_cause() {
    let other = parts::certificate("kafka", "other-ca.pem");
    for (kafka, setting, because) in [
        ("tls", ("MESH_KAFKA__TLS__CA_FILE", other.as_str()), "certificate verify failed"),
        ("elsewhere", LOGIN[1], "certificate verify failed"),
        ("tls", ("MESH_KAFKA__SASL__PASSWORD", WRONG), "uthentication failed"),
        ("mutual", ("MESH_KAFKA__SASL__MECHANISM", "none"), "certificate"),
        ("tls", ("MESH_KAFKA__TLS__ENABLED", "false"), "no Kafka broker can be reached"),
    ] {
        let mesh = with(with(over_tls(kafka), &LOGIN), &[setting]).spawn().await;
        until_degraded(&mesh, "notifications", "kafka", because).await;
        let (missing, _) = readiness(&mesh, "notifications").await;
        assert!(missing.contains(&"kafka".to_owned()), "{kafka} {setting:?}: {missing:?}");
        let command = [&topics(kafka)[..], &["--wait".into(), "1s".into()]].concat();
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        let output = mesh.run(&command).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        // A broker that expects TLS does not say so to a client without TLS: it closes the connection.
        let because = if setting.1 == "false" { "no answer from Kafka" } else { because };
        assert!(
            !output.status.success() && errors.contains(because),
            "{kafka} {setting:?}: {errors}"
        );
        no_secret_is_shown(&mesh).await;
    }
}

/// The mesh works without its cache, and reports that the cache is unavailable.
#[tokio::test]
#[ignore = "needs Kafka, Valkey, NATS and PostgreSQL: .ci/run has them"]
async fn a_failed_tls_handshake_with_the_cache_is_reported_and_fails_no_request() {
    let other = parts::certificate("valkey", "other-ca.pem");
    let (elsewhere, wrong) = (redis("127.0.0.2", PASSWORD), redis("127.0.0.1", WRONG));
    for (setting, because) in [
        (("MESH_REDIS__TLS__CA_FILE", other.as_str()), "UnknownIssuer"),
        (("MESH_REDIS__URL", elsewhere.as_str()), "not valid for name"),
        (("MESH_REDIS__URL", wrong.as_str()), "uthentication"),
    ] {
        let mesh = with(with(over_tls("tls"), &LOGIN), &[setting]).start().await;
        let answer = mesh.gateway().get("/api/products/teapot").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        until_degraded(&mesh, "catalog", "redis", because).await;
        no_secret_is_shown(&mesh).await;
    }
}
