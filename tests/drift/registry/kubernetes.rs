//! Lists in the manifests for Kubernetes.

use std::io;

use registry::{Protocol, Service, Stage};

use super::{
    Files,
    compose::{addresses, is_address, is_target, of_ledgers, scraped},
    edit::{SEPARATOR, between, documents, lines},
    scripts::{consumes, has_ledger, in_mesh, names},
};

const COMPONENTS: &str = "deploy/components";

pub(crate) fn write(files: &mut Files, services: &[Service]) -> io::Result<()> {
    for service in services {
        let path = format!("deploy/base/{}.yaml", service.name);
        if files.found(&path)?.is_empty() {
            files.edit(&path, |_| manifest(service))?;
        }
    }
    base(files, services)?;
    files.edit("deploy/overlays/prod/disruption.yaml", |text| {
        of_each(text, "kind: PodDisruptionBudget\n", services, in_mesh, disruption)
    })?;
    files.edit("deploy/overlays/prod/secrets.example.yaml", |text| {
        of_each(text, "-database\n", services, has_ledger, secret)
    })?;
    files.edit(&format!("{COMPONENTS}/autoscaling/services.yaml"), |text| {
        of_each(text, "kind: HorizontalPodAutoscaler\n", services, in_mesh, autoscaler)
    })?;
    files.edit(&format!("{COMPONENTS}/autoscaling-keda/services.yaml"), |text| {
        of_each(text, "kind: ScaledObject\n", services, consumes, scaled)
    })?;
    files.edit(&format!("{COMPONENTS}/autoscaling-keda/kustomization.yaml"), |text| {
        between(text, "", "name in (", ")", &names(services, consumes, ", "))
    })?;
    databases(files, services)?;
    policies(files, services)
}

fn base(files: &mut Files, services: &[Service]) -> io::Result<()> {
    files.edit("deploy/base/kustomization.yaml", |text| {
        let line = |one: &Service| format!("  - {}.yaml", one.name);
        let by_hand = ["  - namespace.yaml", "  - topics.yaml"];
        let is_line = |line: &str| {
            line.ends_with(".yaml") && line.starts_with("  - ") && !line.contains("path:")
        };
        let is_service = |line: &str| is_line(line) && !by_hand.contains(&line);
        let text = lines(text, is_service, &services.iter().map(line).collect::<Vec<_>>());
        between(&text, "", "name in (", ")", &names(services, has_ledger, ", "))
    })?;
    files.edit("deploy/base/patches/settings.env", |text| {
        let text = lines(text, is_address, &addresses(services, "", "="));
        let target = |name: &str, upper: &str| {
            format!("MESH_LENS__SCRAPE__TARGETS__{upper}=http://{name}-pods:8081/metrics")
        };
        let text = lines(&text, is_target, &scraped(services, target));
        let file = |_: &str, upper: &str| {
            format!("MESH_{upper}__DATABASE__URL_FILE=/etc/mesh/database/url")
        };
        lines(&text, |line| line.contains("__DATABASE__URL_FILE="), &of_ledgers(services, file))
    })
}

fn databases(files: &mut Files, services: &[Service]) -> io::Result<()> {
    for file in ["postgres", "databases"] {
        files.edit(&format!("{COMPONENTS}/postgres/{file}.yaml"), |text| {
            let line = |name: &str, _: &str| {
                format!(
                    "              - secret: {{name: {name}-database, items: [{{key: password, path: {name}/password}}]}}"
                )
            };
            let is_line = |line: &str| line.contains("- secret: {name: ") && line.contains("-database,");
            lines(text, is_line, &of_ledgers(services, line))
        })?;
    }
    files.edit(&format!("{COMPONENTS}/postgres/secrets/kustomization.yaml"), |text| {
        let pair = |name: &str, _: &str| {
            format!(
                "  - name: {name}-database\n    literals: [password={name}, \"url=postgres://{name}:{name}@postgres:5432/{name}\"]"
            )
        };
        let is_line = |line: &str| line.ends_with("-database") || line.contains("\"url=postgres://");
        lines(text, is_line, &of_ledgers(services, pair))
    })
}

fn policies(files: &mut Files, services: &[Service]) -> io::Result<()> {
    // lens publishes and consumes nothing, but shows topics, and replays dead letters.
    let kafka = format!("{}, lens, topics", names(services, Service::uses_kafka, ", "));
    let nats = names(services, |one| one.live, ", ");
    let ledgers = names(services, has_ledger, ", ");
    files.edit(&format!("{COMPONENTS}/network-policies/services.yaml"), |text| {
        let belongs = |one: &str| {
            let by_hand = ["service", "operator", "gateway", "lens", "valkey", "to-valkey"];
            !by_hand.iter().any(|name| one.contains(&format!("\n  name: {name}\n")))
        };
        let ours = services.iter().filter(|one| one.stage == Stage::Business);
        let policies: Vec<_> = ours.filter_map(|one| policy(one, services)).collect();
        let text = documents(text, belongs, &policies);
        let edge = services.iter().filter(|one| one.stage == Stage::Edge);
        let calls: Vec<_> = edge.flat_map(|one| one.calls).copied().collect();
        between(&text, "\n  name: gateway\n", "values: [", "]", &calls.join(", "))
    })?;
    let with_job = format!("{ledgers}, postgres-databases");
    let lists = [
        ("external", "to-kafka", &kafka),
        ("external", "to-nats", &nats),
        ("external", "to-postgres", &ledgers),
        ("backing", "kafka", &kafka),
        ("backing", "to-kafka", &kafka),
        ("backing", "nats", &nats),
        ("backing", "to-nats", &nats),
        ("backing", "postgres", &with_job),
        ("backing", "to-postgres", &with_job),
    ];
    for (folder, policy, list) in lists {
        files.edit(&format!("{COMPONENTS}/network-policies/{folder}/{folder}.yaml"), |text| {
            between(text, &format!("\n  name: {policy}\n"), "values: [", "]", list)
        })?;
    }
    Ok(())
}

/// A document for each of some services, in place of those that contain `mark`.
fn of_each(
    text: &str,
    mark: &str,
    services: &[Service],
    is: fn(&Service) -> bool,
    document: fn(&str) -> String,
) -> String {
    let new: Vec<_> = services.iter().filter(|one| is(one)).map(|one| document(one.name)).collect();
    documents(text, |one| one.contains(mark), &new)
}

fn labels(name: &str) -> String {
    format!(
        "  labels:\n    app.kubernetes.io/name: {name}\n    app.kubernetes.io/component: service\n"
    )
}

fn disruption(name: &str) -> String {
    format!(
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: {name}\n{}spec:\n  maxUnavailable: 1\n  \
         selector:\n    matchLabels: {{app.kubernetes.io/name: {name}}}\n",
        labels(name)
    )
}

fn secret(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}-database\n  namespace: glassmesh\nstringData:\n  \
         url: postgres://{name}:password@postgres.example.com:5432/{name}\n"
    )
}

fn autoscaler(name: &str) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: {name}\n{}spec:\n  \
         scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: {name}\n",
        labels(name)
    )
}

fn scaled(name: &str) -> String {
    format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata:\n  name: {name}\n{}spec:\n  scaleTargetRef:\n    \
         name: {name}\n  minReplicaCount: 2\n  maxReplicaCount: 3\n  triggers:\n    - type: cpu\n      \
         metricType: AverageValue\n      metadata:\n        value: 500m\n    \
         # The lag of this service in Kafka, according to Prometheus. A pod handles some hundred events a second.\n    \
         - type: prometheus\n      metadata:\n        \
         serverAddress: http://prometheus.glassmesh.svc:9090/prometheus\n        \
         query: sum(max by (topic, partition) (mesh_consumer_lag{{job=\"{name}\"}}))\n        threshold: \"500\"\n",
        labels(name)
    )
}

fn selector(names: &[&str]) -> String {
    match names {
        [name] => {
            format!("        - podSelector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}\n")
        }
        several => format!(
            "        - podSelector: {{matchExpressions: [{{key: app.kubernetes.io/name, operator: In, values: [{}]}}]}}\n",
            several.join(", ")
        ),
    }
}

/// The policy of a service that others call, or that calls others.
fn policy(service: &Service, services: &[Service]) -> Option<String> {
    let name = service.name;
    let callers = services.iter().filter(|one| one.calls.contains(&name));
    let callers: Vec<_> = callers.map(|one| one.name).collect();
    let (mut types, mut rules) = (Vec::new(), String::new());
    if !callers.is_empty() {
        types.push("Ingress");
        rules += &format!(
            "  ingress:\n    - from:\n{}      ports: [{{port: grpc}}]\n",
            selector(&callers)
        );
    }
    if !service.calls.is_empty() {
        types.push("Egress");
        rules += &format!(
            "  egress:\n    - to:\n{}      ports: [{{port: grpc}}]\n",
            selector(service.calls)
        );
    }
    if types.is_empty() {
        return None;
    }
    Some(format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\n{}spec:\n  podSelector:\n    \
         matchLabels: {{app.kubernetes.io/name: {name}}}\n  policyTypes: [{}]\n{rules}",
        labels(name),
        types.join(", ")
    ))
}

/// The manifest of a new service: what is particular to it. `deploy/base/patches` adds the rest.
fn manifest(service: &Service) -> String {
    let name = service.name;
    let grpc = service.ports.iter().any(|port| port.protocol == Protocol::Grpc);
    let labels_of = labels(name);
    let template = labels_of.replace("\n  ", "\n      ").replacen("  labels", "      labels", 1);
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n{labels_of}spec:\n  selector:\n    matchLabels:\n      \
         app.kubernetes.io/name: {name}\n  template:\n    metadata:\n{template}    spec:\n      serviceAccountName: {name}\n      \
         containers:\n        - name: mesh\n          args: [{name}]\n"
    );
    if grpc {
        text += "          ports:\n            - name: grpc\n              containerPort: 9090\n";
    }
    if service.ledger {
        text += &format!(
            "      volumes:\n        - name: database\n          secret:\n            secretName: {name}-database\n"
        );
    }
    let head = |name: &str| {
        format!(
            "{SEPARATOR}apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n{labels_of}spec:\n  "
        )
    };
    let selector = format!("  selector:\n    app.kubernetes.io/name: {name}\n  ports:\n");
    if grpc {
        text += &head(name);
        text += &format!(
            "# Headless: clients query the name every second and balance over all pods; a single address would pin one pod.\n  \
             clusterIP: None\n{selector}    - name: grpc\n      port: 9090\n      targetPort: grpc\n      appProtocol: kubernetes.io/h2c\n"
        );
    }
    text += &head(&format!("{name}-pods"));
    text += &format!(
        "# All pods, also those that are not ready: lens scrapes them.\n  clusterIP: None\n  publishNotReadyAddresses: true\n\
         {selector}    - name: admin\n      port: 8081\n      targetPort: admin\n"
    );
    text + &format!(
        "{SEPARATOR}apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n{labels_of}automountServiceAccountToken: false\n"
    )
}
