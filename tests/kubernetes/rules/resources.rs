//! Rules for memory and for the number of pods.

use crate::objects::{Objects, items, mebibytes, selects, text};

/// In Mi. 1.6 GiB is what a laptop has to spare beside a browser.
const BUDGET: f64 = 1.6 * 1024.0;

/// Every container has a memory limit and requests as much, so that a node is never promised more memory than it has.
pub(crate) fn memory(objects: &Objects) -> Vec<String> {
    let mut complaints = Vec::new();
    for workload in objects.workloads() {
        for container in workload.containers() {
            let limit = mebibytes(text(container, "/resources/limits/memory"));
            let request = mebibytes(text(container, "/resources/requests/memory"));
            if limit.is_none() || limit != request {
                complaints.push(format!(
                    "{}: its limit of memory is not what it requests",
                    workload.name
                ));
            }
            for resource in ["/resources/requests/cpu", "/resources/limits/ephemeral-storage"] {
                if text(container, resource).is_empty() {
                    complaints.push(format!("{}: {resource} is not said", workload.name));
                }
            }
        }
    }
    complaints
}

/// The limits of all pods together are within the budget, including the jobs that end.
pub(crate) fn budget(objects: &Objects) -> Vec<String> {
    let sum: f64 = objects
        .workloads()
        .flat_map(|workload| workload.containers())
        .filter_map(|container| mebibytes(text(container, "/resources/limits/memory")))
        .sum();
    if sum > BUDGET {
        vec![format!("memory limits are {sum} Mi; expected {BUDGET:.0} Mi at most")]
    } else {
        vec![]
    }
}

/// Every service except lens, which keeps its data in its own memory, has at least two pods: a node drain does not evict all
/// of them at once, and they are spread over nodes.
pub(crate) fn replicas(objects: &Objects) -> Vec<String> {
    let mut complaints = Vec::new();
    let services = objects.workloads().filter(|workload| {
        workload.kind == "Deployment"
            && workload.labels()["app.kubernetes.io/component"] == "service"
            && workload.name != "lens"
    });
    for workload in services {
        let mut expect = |good: bool, what: &str| {
            if !good {
                complaints.push(format!("{}: {what}", workload.name));
            }
        };
        let floor = |kind: &str, minimum: &str| {
            objects.of(kind).any(|scaler| {
                text(scaler, "/spec/scaleTargetRef/name") == workload.name
                    && scaler.pointer(minimum).and_then(serde_json::Value::as_u64) >= Some(2)
            })
        };
        expect(
            floor("HorizontalPodAutoscaler", "/spec/minReplicas")
                != floor("ScaledObject", "/spec/minReplicaCount"),
            "expected one autoscaler that keeps two pods",
        );
        let guarded = objects
            .of("PodDisruptionBudget")
            .any(|budget| selects(&budget["spec"]["selector"], workload.labels()));
        expect(guarded, "no disruption budget");
        let spread = items(workload.pod, "/spec/topologySpreadConstraints");
        let over =
            |key: &str| spread.clone().any(|constraint| text(constraint, "/topologyKey") == key);
        expect(over("kubernetes.io/hostname") && over("topology.kubernetes.io/zone"), "not spread");
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn orders(resources: &Value, others: &[Value]) -> Objects {
        let mut items = vec![json!({
            "kind": "Deployment",
            "metadata": {"name": "orders"},
            "spec": {"template": {
                "metadata": {"labels": {"app.kubernetes.io/component": "service"}},
                "spec": {"containers": [{"resources": resources}]},
            }},
        })];
        items.extend_from_slice(others);
        Objects::parse(&json!({"items": items}).to_string())
    }

    #[test]
    fn a_container_without_limits_is_found() {
        let unequal = json!({"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}});
        assert_eq!(memory(&orders(&unequal, &[])).len(), 3);
        assert_eq!(memory(&orders(&json!({}), &[])).len(), 3);
    }

    #[test]
    fn a_sum_of_limits_over_the_budget_is_found() {
        assert_eq!(budget(&orders(&json!({"limits": {"memory": "2Gi"}}), &[])).len(), 1);
        assert_eq!(budget(&orders(&json!({"limits": {"memory": "1Gi"}}), &[])).len(), 0);
    }

    #[test]
    fn a_service_with_one_replica_is_found() {
        assert_eq!(replicas(&orders(&json!({}), &[])).len(), 3);
        let scaler = json!({"kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": 2, "scaleTargetRef": {"name": "orders"}}});
        assert_eq!(replicas(&orders(&json!({}), &[scaler])).len(), 2);
    }
}
