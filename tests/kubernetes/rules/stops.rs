//! Rules that a pod has as much time to stop as its process takes.

use std::time::Duration;

use crate::objects::{Objects, text};

/// The time in which a service sends the last of its telemetry after its drain: the default of `telemetry.timeout`.
const FLUSH: Duration = Duration::from_secs(3);
/// After this time clients no longer know a pod that left a Service: a cluster's DNS answers are valid for 5 s, and clients
/// query every second.
const FORGOTTEN: Duration = Duration::from_secs(6);

/// The grace period covers the sleep before SIGTERM, the time in which responses carry `Connection: close`, the drain and the
/// flush; the sleep is longer than clients need to learn that a pod is leaving.
pub(crate) fn agreement(objects: &Objects) -> Vec<String> {
    let mut complaints = Vec::new();
    let setting = |name| {
        let seconds = |map| text(map, &format!("/data/{name}")).strip_suffix('s')?.parse().ok();
        let found = objects.of("ConfigMap").find_map(seconds).map(Duration::from_secs);
        found.ok_or_else(|| format!("no ConfigMap has {name} in seconds"))
    };
    let (settle, drain) = match (setting("MESH_DRAIN__SETTLE"), setting("MESH_DRAIN__DEADLINE")) {
        (Ok(settle), Ok(drain)) => (settle, drain),
        (Err(missing), _) | (_, Err(missing)) => return vec![missing],
    };
    if settle.is_zero() {
        complaints
            .push("drain.settle is nothing: kept connections are closed without a word".to_owned());
    }
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
        let most = sleep + settle + drain + FLUSH;
        if grace < most {
            complaints.push(format!(
                "{}: it is killed after {grace:?}, and may need {most:?}",
                workload.name
            ));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn orders(grace: u64, sleep: u64, settle: &str) -> Objects {
        let pod = json!({
            "metadata": {"labels": {"app.kubernetes.io/component": "service"}},
            "spec": {
                "terminationGracePeriodSeconds": grace,
                "containers": [{"lifecycle": {"preStop": {"sleep": {"seconds": sleep}}}}],
            },
        });
        let list = json!({"items": [
            {"kind": "ConfigMap", "data": {"MESH_DRAIN__SETTLE": settle, "MESH_DRAIN__DEADLINE": "20s"}},
            {"kind": "Deployment", "metadata": {"name": "orders"}, "spec": {"template": pod}},
        ]});
        Objects::parse(&list.to_string())
    }

    #[test]
    fn a_grace_period_shorter_than_the_drain_is_found() {
        assert_eq!(agreement(&orders(35, 8, "2s")), [""; 0]);
        assert_eq!(
            agreement(&orders(32, 8, "2s")),
            ["orders: it is killed after 32s, and may need 33s"]
        );
        assert_eq!(
            agreement(&orders(35, 5, "2s")),
            ["orders: it stops while clients still find it"]
        );
        assert_eq!(
            agreement(&orders(35, 8, "0s")),
            ["drain.settle is nothing: kept connections are closed without a word"]
        );
        assert_eq!(
            agreement(&orders(35, 8, "soon")),
            ["no ConfigMap has MESH_DRAIN__SETTLE in seconds"]
        );
    }
}
