//! Rules that every reference leads to an existing object.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::objects::{Objects, Workload, items, selects, text};

/// Objects that the cluster itself creates.
const GIVEN: [&str; 1] = ["kube-root-ca.crt"];
/// In overlays without secrets: the secrets that users create, as overlays/prod/secrets.example.yaml shows.
const BROUGHT: [&str; 8] = [
    "mesh-brokers",
    "mesh-redis",
    "catalog-database",
    "inventory-database",
    "orders-database",
    "payments-database",
    "shipping-database",
    "grafana-admin",
];

/// ConfigMaps, secrets and accounts of pods; pods and ports of Services; targets of scalers and budgets.
pub(crate) fn resolve(objects: &Objects) -> Vec<String> {
    let mut complaints: Vec<_> =
        objects.workloads().flat_map(|workload| unresolved(objects, &workload)).collect();
    for service in objects.of("Service") {
        let name = text(service, "/metadata/name");
        let labels = &service["spec"]["selector"];
        let selector = serde_json::json!({ "matchLabels": labels });
        let Some(pods) = objects.workloads().find(|pods| selects(&selector, pods.labels())) else {
            complaints.push(format!("the Service {name} selects no pods"));
            continue;
        };
        for port in items(service, "/spec/ports") {
            if pods.port(&port["targetPort"]).is_none() {
                complaints
                    .push(format!("the Service {name} leads to a port that is not there: {port}"));
            }
        }
    }
    for route in objects.of("HTTPRoute") {
        for backend in items(route, "/spec/rules").flat_map(|rule| items(rule, "/backendRefs")) {
            let name = text(backend, "/name");
            let service =
                objects.of("Service").find(|service| text(service, "/metadata/name") == name);
            let mut ports = service.into_iter().flat_map(|service| items(service, "/spec/ports"));
            if !ports.any(|port| port["port"] == backend["port"]) {
                complaints.push(format!("an HTTPRoute leads to {backend}, which is not there"));
            }
        }
    }
    for kind in ["HorizontalPodAutoscaler", "ScaledObject"] {
        for scaler in objects.of(kind) {
            let target = text(scaler, "/spec/scaleTargetRef/name");
            if !objects.has("Deployment", target) {
                complaints.push(format!("a {kind} scales {target}, which is not there"));
            }
        }
    }
    for budget in objects.of("PodDisruptionBudget") {
        if !objects.workloads().any(|pods| selects(&budget["spec"]["selector"], pods.labels())) {
            complaints
                .push(format!("the budget {} guards no pods", text(budget, "/metadata/name")));
        }
    }
    complaints
}

fn unresolved(objects: &Objects, workload: &Workload<'_>) -> Vec<String> {
    let mut wanted = BTreeSet::new();
    collect(workload.pod, &mut wanted);
    let there = |(kind, name): &(&str, &str)| {
        objects.has(kind, name)
            || (*kind == "ConfigMap" && GIVEN.contains(name))
            || (*kind == "Secret"
                && BROUGHT.contains(name)
                && objects.of("Secret").next().is_none())
    };
    let missing = wanted.iter().filter(|reference| !there(reference));
    missing
        .map(|(kind, name)| format!("{}: the {kind} {name} is not there", workload.name))
        .collect()
}

/// Every reference to another object in a pod.
fn collect<'a>(value: &'a Value, found: &mut BTreeSet<(&'static str, &'a str)>) {
    let references = [
        ("ConfigMap", "/configMap/name"),
        ("ConfigMap", "/configMapRef/name"),
        ("ConfigMap", "/configMapKeyRef/name"),
        ("Secret", "/secret/name"),
        ("Secret", "/secret/secretName"),
        ("Secret", "/secretRef/name"),
        ("Secret", "/secretKeyRef/name"),
        ("ServiceAccount", "/serviceAccountName"),
    ];
    for (kind, path) in references {
        let name = text(value, path);
        if !name.is_empty() {
            found.insert((kind, name));
        }
    }
    match value {
        Value::Array(all) => all.iter().for_each(|inner| collect(inner, found)),
        Value::Object(all) => all.values().for_each(|inner| collect(inner, found)),
        _ => {}
    }
}

/// Every dashboard and every file of rules of the repository is in a ConfigMap: kustomize has no wildcards.
pub(crate) fn files(objects: &Objects) -> Vec<String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut complaints = Vec::new();
    for folder in ["grafana/dashboards", "grafana/rules"] {
        let entries = fs::read_dir(top.join(folder)).expect("the tests run where the sources are");
        for entry in entries.map(|entry| entry.expect("it can be read").path()) {
            let Some(name) = entry.file_name().and_then(|name| name.to_str()) else { continue };
            let mounted = objects.of("ConfigMap").any(|map| map["data"].get(name).is_some());
            if entry.is_file() && !mounted {
                complaints.push(format!(
                    "{folder}/{name} is in no ConfigMap: add it to grafana/kustomization.yaml"
                ));
            }
        }
    }
    complaints
}

/// The lens scrapes every pod of every service: by a DNS name that resolves to all of them, at the admin port.
pub(crate) fn scraped(objects: &Objects) -> Vec<String> {
    let settings = objects
        .of("ConfigMap")
        .find(|map| text(map, "/metadata/name").starts_with("mesh-settings"))
        .map_or(&Value::Null, |map| &map["data"]);
    let services = objects.workloads().filter(|workload| {
        workload.kind == "Deployment"
            && workload.labels()["app.kubernetes.io/component"] == "service"
    });
    services
        .filter_map(|service| {
            Some(format!("{}: {}", service.name, unasked(objects, settings, &service)?))
        })
        .collect()
}

fn unasked(objects: &Objects, settings: &Value, service: &Workload<'_>) -> Option<String> {
    let key = format!("MESH_LENS__SCRAPE__TARGETS__{}", service.name.to_uppercase());
    let url = settings[key.as_str()].as_str().unwrap_or_default();
    let place = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/metrics"));
    let Some((host, port)) = place.and_then(|place| place.split_once(':')) else {
        return Some(format!("the lens does not ask it: {key} is {url:?}"));
    };
    if service.port(&"admin".into()).map(|port| port.to_string()).as_deref() != Some(port) {
        return Some(format!("{url} is not its port for operators"));
    }
    // The lens scrapes itself inside its pod.
    if service.name == "lens" && host == "127.0.0.1" {
        return None;
    }
    let names_all = objects.of("Service").any(|one| {
        let selector = serde_json::json!({ "matchLabels": one["spec"]["selector"] });
        text(one, "/metadata/name") == host
            && text(one, "/spec/clusterIP") == "None"
            && one["spec"]["publishNotReadyAddresses"] == true
            && selects(&selector, service.labels())
    });
    (!names_all).then(|| {
        format!(
            "{url} does not stand for all its pods: no headless Service {host} has them, ready or not"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dangling_reference_is_found() {
        let list = json!({"items": [
            {"kind": "Deployment", "metadata": {"name": "orders"}, "spec": {"template": {
                "metadata": {"labels": {"name": "orders"}},
                "spec": {
                    "serviceAccountName": "orders",
                    "containers": [{"envFrom": [{"configMapRef": {"name": "settings"}}]}],
                    "volumes": [{"secret": {"secretName": "orders-database"}}, {"secret": {"secretName": "other"}}],
                },
            }}},
            {"kind": "Service", "metadata": {"name": "orders"}, "spec": {
                "selector": {"name": "orders"}, "ports": [{"targetPort": "grpc"}],
            }},
            {"kind": "Service", "metadata": {"name": "catalog"}, "spec": {"selector": {"name": "catalog"}}},
            {"kind": "HorizontalPodAutoscaler", "spec": {"scaleTargetRef": {"name": "catalog"}}},
            {"kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"name": "b"}}}},
        ]});
        assert_eq!(
            resolve(&Objects::parse(&list.to_string())),
            [
                "orders: the ConfigMap settings is not there",
                "orders: the Secret other is not there",
                "orders: the ServiceAccount orders is not there",
                "the Service orders leads to a port that is not there: {\"targetPort\":\"grpc\"}",
                "the Service catalog selects no pods",
                "a HorizontalPodAutoscaler scales catalog, which is not there",
                "the budget b guards no pods",
            ]
        );
    }

    #[test]
    fn a_service_missing_from_the_scrape_targets_is_found() {
        let deployment = |name: &str| {
            json!({"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": {
                "metadata": {"labels": {"name": name, "app.kubernetes.io/component": "service"}},
                "spec": {"containers": [{"ports": [{"name": "admin", "containerPort": 8081}]}]},
            }}})
        };
        let service = |name: &str, address: &str| {
            json!({"kind": "Service", "metadata": {"name": name}, "spec": {
                "clusterIP": address, "publishNotReadyAddresses": name != "gateway", "selector": {"name": name},
            }})
        };
        let list = json!({"items": [
            deployment("gateway"), deployment("orders"), deployment("catalog"), deployment("payments"), deployment("shipping"), deployment("lens"),
            service("gateway", "None"), service("orders", "None"), service("catalog", "10.0.0.1"), service("payments", "None"),
            {"kind": "ConfigMap", "metadata": {"name": "mesh-settings-1"}, "data": {
                "MESH_LENS__SCRAPE__TARGETS__GATEWAY": "http://gateway:8081/metrics",
                "MESH_LENS__SCRAPE__TARGETS__ORDERS": "http://orders:8081/metrics",
                "MESH_LENS__SCRAPE__TARGETS__CATALOG": "http://catalog:8081/metrics",
                "MESH_LENS__SCRAPE__TARGETS__PAYMENTS": "http://payments:9090/metrics",
                "MESH_LENS__SCRAPE__TARGETS__LENS": "http://127.0.0.1:8081/metrics",
            }},
        ]});
        assert_eq!(
            scraped(&Objects::parse(&list.to_string())),
            [
                "gateway: http://gateway:8081/metrics does not stand for all its pods: no headless Service gateway has them, ready or not",
                "catalog: http://catalog:8081/metrics does not stand for all its pods: no headless Service catalog has them, ready or not",
                "payments: http://payments:9090/metrics is not its port for operators",
                "shipping: the lens does not ask it: MESH_LENS__SCRAPE__TARGETS__SHIPPING is \"\"",
            ]
        );
    }
}
