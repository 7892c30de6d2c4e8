//! Rules for every object, and for every pod.

use serde_json::{Value, json};

use crate::objects::{Objects, Workload, items, text};

const NAME: &str = "/metadata/labels/app.kubernetes.io~1name";
const PART_OF: &str = "/metadata/labels/app.kubernetes.io~1part-of";
const COMPONENT: &str = "/metadata/labels/app.kubernetes.io~1component";
/// `operator` is for pods that people start by hand, and for the objects that give them access.
const COMPONENTS: [&str; 4] = ["service", "backing", "observability", "operator"];

const INSTANCE: &str = "/metadata/labels/app.kubernetes.io~1instance";
const MANAGED_BY: &str = "/metadata/labels/app.kubernetes.io~1managed-by";

/// Every object, every pod and every claim has the labels that Kubernetes recommends.
pub(crate) fn labels(objects: &Objects) -> Vec<String> {
    let mut complaints = Vec::new();
    for object in objects.all() {
        let what = format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"));
        complaints.extend(unlabelled(object, &what));
        if let Some(pod) = object.pointer("/spec/template") {
            complaints.extend(unlabelled(pod, &format!("the pods of {what}")));
        }
        for claim in items(object, "/spec/volumeClaimTemplates") {
            complaints.extend(unlabelled(claim, &format!("a claim of {what}")));
        }
    }
    complaints
}

fn unlabelled(object: &Value, what: &str) -> Option<String> {
    let good = !text(object, NAME).is_empty()
        && text(object, PART_OF) == "glassmesh"
        && COMPONENTS.contains(&text(object, COMPONENT))
        && text(object, INSTANCE) == "glassmesh"
        && text(object, MANAGED_BY) == "kustomize";
    (!good).then(|| {
        format!("{what}: expected the labels name, part-of, component, instance and managed-by")
    })
}

/// Every image has a tag with a version number, and not `latest`.
pub(crate) fn images(objects: &Objects) -> Vec<String> {
    let images = objects.workloads().flat_map(|workload| {
        workload.containers().map(|container| text(container, "/image")).collect::<Vec<_>>()
    });
    let pinned = |image: &str| {
        let tag =
            image.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
        tag.is_some_and(|tag| tag != "latest" && tag.matches('.').count() >= 1)
    };
    images
        .filter(|image| !pinned(image))
        .map(|image| format!("{image}: expected a whole version"))
        .collect()
}

/// Services that are reachable from outside of the cluster, on each of its nodes or by an address of their own.
pub(crate) fn exposed(objects: &Objects) -> Vec<String> {
    let services = objects.of("Service").filter(|service| {
        ["NodePort", "LoadBalancer"].contains(&text(service, "/spec/type"))
            || items(service, "/spec/externalIPs").len() > 0
    });
    services
        .map(|service| {
            format!("the Service {} is open to the outside", text(service, "/metadata/name"))
        })
        .collect()
}

/// Settings that are right on a developer's machine only: links to `localhost`, and Grafana without a login.
pub(crate) fn leftovers(objects: &Objects) -> Vec<String> {
    let mut complaints = Vec::new();
    let settings = objects
        .of("ConfigMap")
        .filter(|map| text(map, "/metadata/name").starts_with("mesh-settings"));
    for (key, value) in settings.flat_map(|map| map["data"].as_object().into_iter().flatten()) {
        if value.as_str().is_some_and(|value| value.contains("localhost")) {
            complaints.push(format!("{key} is {value}"));
        }
    }
    for workload in objects.workloads() {
        for container in workload.containers() {
            let words =
                items(container, "/args").chain(items(container, "/env").map(|one| &one["value"]));
            for word in words.filter_map(Value::as_str).filter(|word| word.contains("localhost")) {
                complaints.push(format!("{}: {word}", workload.name));
            }
            let anonymous = items(container, "/env").any(|one| {
                text(one, "/name") == "GF_AUTH_ANONYMOUS_ENABLED" && text(one, "/value") != "false"
            });
            if anonymous {
                complaints.push(format!("{}: no login is asked for", workload.name));
            }
        }
    }
    complaints
}

/// Stricter than the profile `restricted`: images are read-only, and no account mounts an API token by default.
pub(crate) fn restricted(objects: &Objects) -> Vec<String> {
    let mut complaints: Vec<_> =
        objects.workloads().flat_map(|workload| unrestricted(&workload)).collect();
    for account in objects.of("ServiceAccount") {
        if account["automountServiceAccountToken"] != json!(false) {
            complaints.push(format!(
                "ServiceAccount {}: a token is mounted that the pod does not need",
                text(account, "/metadata/name")
            ));
        }
    }
    for namespace in objects.of("Namespace") {
        for mode in ["enforce", "warn"] {
            let label = format!("pod-security.kubernetes.io/{mode}");
            if namespace["metadata"]["labels"][&label] != json!("restricted") {
                complaints.push(format!("the namespace does not {mode} `restricted`"));
            }
        }
    }
    complaints
}

fn unrestricted(workload: &Workload<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    let spec = &workload.pod["spec"];
    let mut expect = |good: bool, what: &str| {
        if !good {
            complaints.push(format!("{} {}: {what}", workload.kind, workload.name));
        }
    };
    let user = spec["securityContext"]["runAsUser"].as_u64();
    expect(spec["automountServiceAccountToken"] == json!(false), "a token of the API is mounted");
    expect(spec["enableServiceLinks"] == json!(false), "variables for every Service are set");
    expect(spec["securityContext"]["runAsNonRoot"] == json!(true), "it may run as root");
    expect(user.is_some_and(|user| user > 0), "its user is not said");
    expect(
        text(spec, "/securityContext/seccompProfile/type") == "RuntimeDefault",
        "no seccomp profile",
    );
    expect(
        !["", "default"].contains(&text(spec, "/serviceAccountName")),
        "it has no account of its own",
    );
    for container in workload.containers() {
        let context = &container["securityContext"];
        expect(context["readOnlyRootFilesystem"] == json!(true), "it may write into its image");
        expect(
            context["allowPrivilegeEscalation"] == json!(false),
            "it may become more than it is",
        );
        expect(context["capabilities"] == json!({"drop": ["ALL"]}), "it has capabilities");
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(image: &str) -> Objects {
        let list = json!({"items": [{
            "kind": "Deployment",
            "metadata": {"name": "orders", "labels": {"app.kubernetes.io/name": "orders"}},
            "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        }]});
        Objects::parse(&list.to_string())
    }

    #[test]
    fn an_object_without_labels_is_found() {
        assert_eq!(
            labels(&deployment("")),
            [
                "Deployment orders: expected the labels name, part-of, component, instance and managed-by",
                "the pods of Deployment orders: expected the labels name, part-of, component, instance and managed-by"
            ]
        );
    }

    #[test]
    fn an_image_with_a_moving_tag_is_found() {
        for bad in ["orders", "orders:latest", "orders:17", "registry:5000/orders"] {
            assert_eq!(images(&deployment(bad)).len(), 1, "{bad}");
        }
        for good in ["a/b:1.2.3", "postgres:17.6-alpine", "registry:5000/orders:v1.0"] {
            assert_eq!(images(&deployment(good)).len(), 0, "{good}");
        }
    }

    #[test]
    fn a_service_exposed_on_nodes_is_found() {
        let service = |kind: &str| {
            let list = json!({"items": [{"kind": "Service", "metadata": {"name": "gateway"}, "spec": {"type": kind}}]});
            exposed(&Objects::parse(&list.to_string())).len()
        };
        assert_eq!([service("NodePort"), service("LoadBalancer"), service("ClusterIP")], [1, 1, 0]);
    }

    #[test]
    fn a_link_to_localhost_and_an_anonymous_login_are_found() {
        let list = json!({"items": [
            {"kind": "ConfigMap", "metadata": {"name": "mesh-settings-1"}, "data": {"URL": "http://localhost/"}},
            {"kind": "Deployment", "metadata": {"name": "grafana"}, "spec": {"template": {"spec": {"containers": [{
                "args": ["--url=http://localhost:8080/"],
                "env": [{"name": "GF_AUTH_ANONYMOUS_ENABLED", "value": "true"}],
            }]}}}},
        ]});
        assert_eq!(leftovers(&Objects::parse(&list.to_string())).len(), 3);
    }

    #[test]
    fn a_privileged_pod_is_found() {
        assert_eq!(restricted(&deployment("a:1.0")).len(), 9);
    }
}
