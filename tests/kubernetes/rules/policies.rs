//! Which pods may connect to which: the network policies are evaluated over the pods of an overlay, as a network plugin
//! would, and must allow exactly the connections listed here. The test cluster stores policies and does not enforce them.

use std::collections::BTreeSet;

use registry::{Protocol, Service, Stage};
use serde_json::{Value, json};

use crate::objects::{Objects, Workload, items, selects, text};

/// Connections from each of some pods to each of some `name:port`.
type Table = [(&'static [&'static str], &'static [&'static str])];

/// Connections that the mesh and its observability need in every overlay.
const EVERYWHERE: &Table = &[
    (&["anywhere"], &["gateway:8080"]),
    (&["catalog"], &["valkey:6379"]),
    (&["topics"], &["otel-collector:4317"]),
    (&["otel-collector"], &["jaeger:4317", "lens:4317", "loki:3100"]),
    (&["grafana"], &["prometheus:9090", "jaeger:16686", "loki:3100", "alertmanager:9093"]),
    (
        &["prometheus"],
        &["alertmanager:9093", "grafana:3000", "jaeger:8888", "loki:3100", "otel-collector:8888"],
    ),
    // The address of the API server is not known in advance, and its port differs between distributions.
    (
        &["prometheus"],
        &["anywhere:443", "anywhere:6443", "anywhere:7443", "anywhere:8443", "anywhere:16443"],
    ),
    // `mesh audit` and the like, in pods with the label of an operator.
    (&["operator"], &["gateway:8080"]),
];

/// With brokers and databases in the namespace, and one front door.
pub(crate) const LOCAL: Expected = Expected {
    kafka: &["kafka:9092"],
    nats: &["nats:4222"],
    postgres: &["postgres:5432"],
    others: [
        EVERYWHERE,
        &[
            (&["postgres-databases"], &["postgres:5432"]),
            // `mesh dlq` and `mesh load`.
            (&["operator"], &["kafka:9092", "nats:4222"]),
            (
                &["gateway"],
                &[
                    "grafana:3000",
                    "jaeger:16686",
                    "prometheus:9090",
                    "alertmanager:9093",
                    "loki:3100",
                ],
            ),
            (&["gateway"], &["lens:8080"]),
        ],
    ],
};

/// With brokers and databases outside of the cluster.
pub(crate) const PRODUCTION: Expected = Expected {
    kafka: &["anywhere:9092", "anywhere:9093", "anywhere:9094", "anywhere:9096"],
    nats: &["anywhere:4222"],
    postgres: &["anywhere:5432"],
    others: [
        EVERYWHERE,
        &[
            (&["operator"], &["anywhere:9092", "anywhere:9093", "anywhere:9094", "anywhere:9096"]),
            (&["operator"], &["anywhere:4222"]),
        ],
    ],
};

/// The connections of an overlay: those of the services follow from the registry and from where the brokers and databases are.
pub(crate) struct Expected {
    kafka: &'static [&'static str],
    nats: &'static [&'static str],
    postgres: &'static [&'static str],
    others: [&'static Table; 2],
}

impl Expected {
    fn edges(&self) -> BTreeSet<String> {
        let mut edges = BTreeSet::new();
        let mut add = |from: &str, to: &str| {
            edges.insert(format!("{from} > {to}"));
        };
        for (from, to) in self.others.iter().flat_map(|table| table.iter()) {
            for from in *from {
                to.iter().for_each(|to| add(from, to));
            }
        }
        self.kafka.iter().for_each(|to| add("topics", to));
        for Service { name, calls, ledger, live, ports, stage, .. } in registry::SERVICES {
            add(name, "otel-collector:4317");
            add("prometheus", &format!("{name}:8081"));
            if *stage != Stage::Telemetry {
                add("lens", &format!("{name}:8081"));
                if ports.iter().any(|port| port.protocol == Protocol::Grpc) {
                    add("operator", &format!("{name}:9090"));
                }
            }
            calls.iter().for_each(|called| add(name, &format!("{called}:9090")));
            let consumes = registry::find(name).is_some_and(Service::uses_kafka);
            // Lens shows topics and dead letters.
            let reads = consumes || *stage == Stage::Telemetry;
            let parts = [(reads, self.kafka), (*live, self.nats), (*ledger, self.postgres)];
            for (_, part) in parts.iter().filter(|(uses, _)| *uses) {
                part.iter().for_each(|to| add(name, to));
            }
        }
        edges
    }
}

/// The DNS servers: the cluster's, the cache on the node, and OpenShift's.
const NAMES: [&str; 3] = ["kube-system:53", "169.254.0.0/16:53", "openshift-dns:5353"];

/// The policies allow exactly the connections of these tables; in addition, every pod may make DNS queries.
pub(crate) fn edges(objects: &Objects, expected: &Expected) -> Vec<String> {
    let network = Network::of(objects);
    let mut wanted = expected.edges();
    for pod in network.pods() {
        wanted.extend(NAMES.map(|place| format!("{} > {place}", pod.name)));
    }
    // Only with KEDA, which queries Prometheus for the metrics that its scalers use.
    if objects.of("ScaledObject").next().is_some() {
        wanted.insert("keda > prometheus:9090".to_owned());
    }
    // Only with components/redis: its secret holds the address.
    if objects.workloads().any(|workload| workload.mounts_secret("mesh-redis")) {
        wanted.extend(["6379", "6380"].map(|port| format!("catalog > anywhere:{port}")));
    }
    let allowed = network.edges();
    let missing =
        wanted.difference(&allowed).map(|edge| format!("not allowed, and needed: {edge}"));
    let beyond = allowed.difference(&wanted).map(|edge| format!("allowed, and not needed: {edge}"));
    missing.chain(beyond).collect()
}

/// Every policy, and everything that it names, selects an existing pod, and a port that such a pod has.
pub(crate) fn subjects(objects: &Objects) -> Vec<String> {
    let network = Network::of(objects);
    let mut complaints = Vec::new();
    for policy in &network.policies {
        let name = text(policy, "/metadata/name");
        let subjects = network.selected(&policy["spec"]["podSelector"]);
        if subjects.is_empty() {
            complaints.push(format!("{name} is about no pod"));
        }
        for (rules, peers) in [("/spec/ingress", "/from"), ("/spec/egress", "/to")] {
            for rule in items(policy, rules) {
                for peer in items(rule, peers).filter(|peer| is_ours(peer)) {
                    let pods = network.selected(&peer["podSelector"]);
                    if pods.is_empty() {
                        complaints.push(format!("{name} names a pod that is not there: {peer}"));
                    }
                    let listeners = if rules == "/spec/ingress" { &subjects } else { &pods };
                    for port in items(rule, "/ports").map(|port| &port["port"]) {
                        if listeners.iter().all(|pod| pod.workload.port(port).is_none()) {
                            complaints.push(format!("{name} names a port that no pod has: {port}"));
                        }
                    }
                }
            }
        }
    }
    complaints
}

/// The observed connections, in lines of `from to port`, that the policies would refuse.
pub(crate) fn refused(objects: &Objects, seen: &str) -> Vec<String> {
    let allowed = Network::of(objects).edges();
    let lines: BTreeSet<_> = seen.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!(lines.len() > 10, "so few connections were seen that something is wrong: {lines:?}");
    let refused = |line: &&&str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [from, to, port] => !allowed.contains(&format!("{from} > {to}:{port}")),
        _ => true,
    };
    lines.iter().filter(refused).map(|line| format!("seen, and not allowed: {line}")).collect()
}

struct Pod<'a> {
    name: &'a str,
    labels: Value,
    workload: Workload<'a>,
}

struct Network<'a> {
    pods: Vec<Pod<'a>>,
    policies: Vec<&'a Value>,
}

static NOTHING: Value = Value::Null;

impl<'a> Network<'a> {
    fn of(objects: &'a Objects) -> Self {
        let mut pods: Vec<_> = objects
            .workloads()
            .map(|workload| Pod {
                name: workload.name,
                labels: workload.labels().clone(),
                workload,
            })
            .collect();
        // No overlay deploys this pod: people start it, with this label.
        pods.push(Pod {
            name: "operator",
            labels: json!({"app.kubernetes.io/name": "operator", "app.kubernetes.io/component": "operator"}),
            workload: Workload { kind: "Pod", name: "operator", pod: &NOTHING },
        });
        Self { pods, policies: objects.of("NetworkPolicy").collect() }
    }

    fn pods(&self) -> impl Iterator<Item = &Pod<'a>> {
        self.pods.iter()
    }

    fn selected(&self, selector: &Value) -> Vec<&Pod<'a>> {
        self.pods.iter().filter(|pod| selects(selector, &pod.labels)).collect()
    }

    /// The policies of one direction that select a pod. Without any, everything is allowed.
    fn about(&self, pod: &Pod<'_>, direction: &str) -> Vec<&'a Value> {
        let concerns = |policy: &&&Value| {
            selects(&policy["spec"]["podSelector"], &pod.labels)
                && items(policy, "/spec/policyTypes").any(|kind| kind == direction)
        };
        self.policies.iter().filter(concerns).copied().collect()
    }

    fn edges(&self) -> BTreeSet<String> {
        let mut edges = BTreeSet::new();
        for from in &self.pods {
            for to in &self.pods {
                for port in to.workload.ports() {
                    if self.leaves(from, to, port) && self.arrives(from, to, port) {
                        edges.insert(format!("{} > {}:{port}", from.name, to.name));
                    }
                }
            }
            self.outside(from, &mut edges);
        }
        edges
    }

    fn leaves(&self, from: &Pod<'_>, to: &Pod<'_>, port: u64) -> bool {
        let policies = self.about(from, "Egress");
        let rules = policies.iter().flat_map(|policy| items(policy, "/spec/egress"));
        from.name != to.name
            && (policies.is_empty()
                || rules.clone().any(|rule| matches(rule, "/to", &to.labels, to, port)))
    }

    fn arrives(&self, from: &Pod<'_>, to: &Pod<'_>, port: u64) -> bool {
        let policies = self.about(to, "Ingress");
        let rules = policies.iter().flat_map(|policy| items(policy, "/spec/ingress"));
        policies.is_empty()
            || rules.clone().any(|rule| matches(rule, "/from", &from.labels, to, port))
    }

    /// Adds the connections of a pod to and from places that are not our pods.
    fn outside(&self, pod: &Pod<'_>, edges: &mut BTreeSet<String>) {
        for rule in
            self.about(pod, "Egress").iter().flat_map(|policy| items(policy, "/spec/egress"))
        {
            for place in places(rule, "/to") {
                for port in items(rule, "/ports") {
                    edges.insert(format!("{} > {place}:{}", pod.name, port["port"]));
                }
            }
        }
        for rule in
            self.about(pod, "Ingress").iter().flat_map(|policy| items(policy, "/spec/ingress"))
        {
            for place in places(rule, "/from") {
                for port in
                    items(rule, "/ports").filter_map(|port| pod.workload.port(&port["port"]))
                {
                    edges.insert(format!("{place} > {}:{port}", pod.name));
                }
            }
        }
    }
}

fn matches(rule: &Value, peers: &str, labels: &Value, listener: &Pod<'_>, port: u64) -> bool {
    let mut all = items(rule, peers);
    let peer =
        all.len() == 0 || all.any(|peer| is_ours(peer) && selects(&peer["podSelector"], labels));
    let mut ports = items(rule, "/ports");
    peer && (ports.len() == 0
        || ports.any(|wanted| listener.workload.port(&wanted["port"]) == Some(port)))
}

/// Whether a peer selects pods of our namespace, not those of another namespace and not addresses.
fn is_ours(peer: &Value) -> bool {
    peer.get("namespaceSelector").is_none() && peer.get("ipBlock").is_none()
}

fn places<'a>(rule: &'a Value, peers: &str) -> Vec<&'a str> {
    let peers = items(rule, peers);
    if peers.len() == 0 {
        return vec!["anywhere"];
    }
    let namespace = "/namespaceSelector/matchLabels/kubernetes.io~1metadata.name";
    let places = peers.flat_map(|peer| [text(peer, namespace), text(peer, "/ipBlock/cidr")]);
    places.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, port: u64) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": {
            "metadata": {"labels": {"name": name}},
            "spec": {"containers": [{"ports": [{"name": "main", "containerPort": port}]}]},
        }}})
    }

    fn policy(about: &Value, direction: &str, rules: &Value) -> Value {
        let mut spec = json!({"podSelector": about, "policyTypes": [direction]});
        spec[direction.to_lowercase()] = rules.clone();
        json!({"kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec})
    }

    fn allowed(policies: Vec<Value>) -> Vec<String> {
        let mut items = policies;
        items.extend([pod("a", 1), pod("b", 2)]);
        let objects = Objects::parse(&json!({"items": items}).to_string());
        Network::of(&objects)
            .edges()
            .into_iter()
            .filter(|edge| !edge.contains("operator"))
            .collect()
    }

    fn named(name: &str) -> Value {
        json!({"podSelector": {"matchLabels": {"name": name}}})
    }

    #[test]
    fn without_policies_everything_is_allowed() {
        assert_eq!(allowed(vec![]), ["a > b:2", "b > a:1"]);
    }

    #[test]
    fn a_connection_needs_an_egress_and_an_ingress_rule() {
        let deny = |direction| policy(&json!({}), direction, &json!([]));
        let out = policy(
            &named("a")["podSelector"],
            "Egress",
            &json!([{"to": [named("b")], "ports": [{"port": "main"}]}]),
        );
        let into = policy(
            &named("b")["podSelector"],
            "Ingress",
            &json!([{"from": [named("a")], "ports": [{"port": 2}]}]),
        );
        assert_eq!(allowed(vec![deny("Ingress"), deny("Egress")]), [""; 0]);
        assert_eq!(allowed(vec![deny("Ingress"), deny("Egress"), out.clone()]), [""; 0]);
        assert_eq!(allowed(vec![deny("Ingress"), deny("Egress"), out, into]), ["a > b:2"]);
    }

    #[test]
    fn a_rule_without_peers_allows_every_address() {
        let out =
            policy(&named("a")["podSelector"], "Egress", &json!([{"ports": [{"port": 443}]}]));
        assert_eq!(allowed(vec![out]), ["a > anywhere:443", "b > a:1"]);
    }

    #[test]
    fn a_policy_without_pods_is_found() {
        let lost = policy(
            &named("c")["podSelector"],
            "Ingress",
            &json!([{"from": [named("d")], "ports": [{"port": 9}]}]),
        );
        let objects = Objects::parse(&json!({"items": [lost, pod("a", 1)]}).to_string());
        assert_eq!(subjects(&objects).len(), 3);
    }

    #[test]
    fn a_connection_that_would_be_refused_is_found() {
        let deny = policy(&json!({}), "Ingress", &json!([]));
        let objects =
            Objects::parse(&json!({"items": [deny, pod("a", 1), pod("b", 2)]}).to_string());
        let seen = (1..=11).map(|port| format!("a b {port}\n")).collect::<String>();
        assert_eq!(refused(&objects, &seen).len(), 11);
    }
}
