//! Whether a pod has as much time to stop as its process takes.

use std::time::Duration;

use crate::objects::{Objects, text};

/// What a service takes after its drain, to send the last of its telemetry: `telemetry.timeout` as it is by default.
const FLUSH: Duration = Duration::from_secs(3);
/// The answers about Services that a cluster's DNS gives are good for 5 s, and clients look up every second.
const FORGOTTEN: Duration = Duration::from_secs(6);

/// The grace period holds the sleep before the signal, the drain and the flush; and the sleep is longer than clients need to
/// hear that a pod is leaving.
pub(crate) fn agreement(objects: &Objects) -> Vec<String> {
    let mut complaints = Vec::new();
    let drain = objects
        .of("ConfigMap")
        .find_map(|map| text(map, "/data/MESH_DRAIN__DEADLINE").strip_suffix('s')?.parse().ok());
    let Some(drain) = drain.map(Duration::from_secs) else {
        return vec!["no ConfigMap has MESH_DRAIN__DEADLINE in seconds".to_owned()];
    };
    for workload in objects.workloads() {
        if workload.kind != "Deployment"
            || workload.labels()["app.kubernetes.io/component"] != "service"
        {
            continue;
        }
        let seconds = |path: &str| {
            workload.pod.pointer(path).and_then(serde_json::Value::as_u64).map(Duration::from_secs)
        };
        let sleep =
            seconds("/spec/containers/0/lifecycle/preStop/sleep/seconds").unwrap_or_default();
        let grace = seconds("/spec/terminationGracePeriodSeconds").unwrap_or_default();
        if sleep <= FORGOTTEN {
            complaints.push(format!("{}: it stops while clients still find it", workload.name));
        }
        if grace < sleep + drain + FLUSH {
            complaints.push(format!(
                "{}: it is killed after {grace:?}, and may need {:?}",
                workload.name,
                sleep + drain + FLUSH
            ));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn orders(grace: u64, sleep: u64) -> Objects {
        let pod = json!({
            "metadata": {"labels": {"app.kubernetes.io/component": "service"}},
            "spec": {
                "terminationGracePeriodSeconds": grace,
                "containers": [{"lifecycle": {"preStop": {"sleep": {"seconds": sleep}}}}],
            },
        });
        let list = json!({"items": [
            {"kind": "ConfigMap", "data": {"MESH_DRAIN__DEADLINE": "20s"}},
            {"kind": "Deployment", "metadata": {"name": "orders"}, "spec": {"template": pod}},
        ]});
        Objects::parse(&list.to_string())
    }

    #[test]
    fn too_little_time_is_found() {
        assert_eq!(agreement(&orders(35, 8)), [""; 0]);
        assert_eq!(agreement(&orders(30, 8)), ["orders: it is killed after 30s, and may need 31s"]);
        assert_eq!(agreement(&orders(35, 5)), ["orders: it stops while clients still find it"]);
    }
}
