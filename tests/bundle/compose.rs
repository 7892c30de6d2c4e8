//! The Compose files, as `docker-compose config` resolves them.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::Value;

use crate::stack::{list, root, text, variable};

/// The memory limit of all containers together, as in Kubernetes: 1.6 GiB.
const BUDGET: u64 = 1638 << 20;
/// The services that run once, and end.
const ONCE: [&str; 2] = ["databases", "topics"];
/// The services without a health check: their image has no program that could make one.
const MUTE: [&str; 1] = ["otel-collector"];

/// The services of these Compose files, by name.
fn services(files: &[&str]) -> BTreeMap<String, Value> {
    let mut command = Command::new(variable("BUNDLE_COMPOSE"));
    command.current_dir(root().join("deploy"));
    for file in files {
        command.args(["--file", file]);
    }
    let output = command.args(["config", "--format", "json"]).output().expect("docker-compose");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let config: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let services = config["services"].as_object().expect("services").clone();
    services.into_iter().collect()
}

fn all() -> BTreeMap<String, Value> {
    // Without `--file`, `docker-compose` takes the files named in .env, as `docker compose up` does.
    services(&[])
}

#[test]
#[ignore = "needs docker-compose: .ci/run has it"]
fn compose_works_with_and_without_observability() {
    let first = services(&["compose.yaml"]);
    let all = all();
    assert!(first.keys().all(|name| all.contains_key(name)));
    for part in ["alertmanager", "grafana", "jaeger", "loki", "otel-collector", "prometheus"] {
        assert!(all.contains_key(part) && !first.contains_key(part), "{part}");
    }
}

#[test]
#[ignore = "needs docker-compose: .ci/run has it"]
fn containers_have_no_unneeded_privileges() {
    for (name, service) in all() {
        let image = text(&service, "/image");
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(tag.contains('.') && tag != "latest", "{name}: {image} is not pinned");
        assert_eq!(service["read_only"], true, "{name} writes into its image");
        assert_eq!(list(&service, "/cap_drop"), ["ALL"], "{name}");
        assert!(service["privileged"].is_null() && service["cap_add"].is_null(), "{name}");
        let user = text(&service, "/user");
        let ours = image.starts_with("registry.invalid/glassmesh/mesh:"); // its Dockerfile sets the user
        assert!(
            ours || !(user.is_empty() || user.starts_with("0") || user.starts_with("root")),
            "{name}: {user:?}"
        );
        for port in list(&service, "/ports") {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port}");
        }
    }
}

#[test]
#[ignore = "needs docker-compose: .ci/run has it"]
fn every_awaited_container_has_a_health_check() {
    let all = all();
    for (name, service) in &all {
        let asked = service["healthcheck"]["test"].is_array();
        let excused = ONCE.contains(&name.as_str()) || MUTE.contains(&name.as_str());
        assert_ne!(asked, excused, "{name}: {}", service["healthcheck"]);
        let needs = service["depends_on"].as_object().into_iter().flatten();
        for (needed, how) in needs {
            let once = ONCE.contains(&needed.as_str());
            let condition = if once { "service_completed_successfully" } else { "service_healthy" };
            assert_eq!(how["condition"], condition, "{name} waits for {needed}");
        }
    }
}

/// The memory limit of a service, in bytes.
fn limit(name: &str, service: &Value) -> u64 {
    let text = service["mem_limit"].as_str().unwrap_or_default();
    let (number, scale) = text.strip_suffix('m').map_or((text, 0), |number| (number, 20));
    number.parse::<u64>().unwrap_or_else(|_| panic!("{name} has no limit: {text:?}")) << scale
}

#[test]
#[ignore = "needs docker-compose: .ci/run has it"]
fn memory_is_limited_and_the_sum_is_within_the_budget() {
    let all = all();
    let limits = all.iter().map(|(name, service)| (name, limit(name, service)));
    // A container that has ended has released its memory.
    let lasting = limits.filter(|(name, _)| !ONCE.contains(&name.as_str()));
    let sum: u64 = lasting.map(|(_, bytes)| bytes).sum();
    assert!(sum <= BUDGET, "{} MiB", sum >> 20);
}

/// What was measured in Kubernetes holds in Compose: the parts have the same limits.
#[test]
#[ignore = "needs docker-compose: .ci/run has it"]
fn the_limits_of_the_parts_are_those_of_kubernetes() {
    let mut compared = 0;
    for (name, service) in all() {
        let folders = ["observability", "postgres", name.as_str()];
        let files = folders.map(|folder| format!("deploy/components/{folder}/{name}.yaml"));
        let mut found = files.iter().filter_map(|file| fs::read_to_string(root().join(file)).ok());
        let Some(manifest) = found.next() else { continue };
        let rest = manifest.split_once("limits: {memory: ").map_or("", |(_, rest)| rest);
        let there = rest.split_once("Mi").and_then(|(number, _)| number.parse::<u64>().ok());
        assert_eq!(there.map(|mib| mib << 20), Some(limit(&name, &service)), "{name}");
        compared += 1;
    }
    assert!(compared >= 11, "{compared} parts");
}

/// The pairs of name and default in a file: `${NAME:-default}`.
fn chosen(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("${").skip(1).filter_map(|rest| rest.split_once('}')?.0.split_once(":-"))
}

#[test]
#[ignore = "needs docker-compose: .ci/run has it"]
fn every_variable_of_compose_is_in_the_env_file() {
    let read = |name: &str| fs::read_to_string(root().join("deploy").join(name)).expect(name);
    let documented = read(".env");
    let documented: BTreeMap<_, _> =
        documented.lines().filter_map(|line| line.split_once('=')).collect();
    let files = [read("compose.yaml"), read("compose.observability.yaml")];
    let mut used: BTreeMap<_, _> = files.iter().flat_map(|text| chosen(text)).collect();
    used.insert("COMPOSE_FILE", "compose.yaml:compose.observability.yaml");
    used.insert("COMPOSE_PATH_SEPARATOR", ":");
    assert_eq!(used, documented);
}

/// A service would not start with a setting that it does not have, or whose value it cannot parse.
#[test]
#[ignore = "needs docker-compose: .ci/run has it"]
fn every_service_accepts_its_compose_environment() {
    let all = all();
    let ours = all.iter().filter(|(name, service)| {
        text(service, "/image").starts_with("registry.invalid/glassmesh/mesh:")
            && !ONCE.contains(&name.as_str())
    });
    let mut seen = 0;
    for (name, service) in ours {
        assert_eq!(text(service, "/command/0"), name);
        let environment = service["environment"].as_object().expect("an environment");
        let environment =
            environment.iter().map(|(key, value)| (key, value.as_str().unwrap_or_default()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesh"));
        command.args(["config", name]).env_clear().envs(environment);
        let answer = command.output().expect("the mesh binary");
        assert!(answer.status.success(), "{name}: {}", String::from_utf8_lossy(&answer.stderr));
        seen += 1;
    }
    assert_eq!(seen, 8);
}

/// Grafana's metrics are below the path of its root URL: a request to `/metrics` is redirected to the URL for browsers, which
/// Prometheus cannot reach.
#[test]
#[ignore = "needs docker-compose: .ci/run has it"]
fn grafana_is_scraped_below_the_path_that_it_is_served_at() {
    let all = all();
    let url = text(&all["grafana"], "/environment/GF_SERVER_ROOT_URL");
    let path = url.trim_end_matches('/').rsplit('/').next().expect("a path");
    let folder = root().join("deploy/components/observability/prometheus/scrape");
    let read = |name| fs::read_to_string(folder.join(name)).expect("what is scraped");
    let by_name = format!("job: grafana, __metrics_path__: /{path}/metrics");
    assert!(read("compose.yaml").contains(&by_name), "{by_name}");
    let by_label = format!("|{path})\n        target_label: __metrics_path__");
    assert!(read("kubernetes.yaml").contains(&by_label), "{by_label}");
}
