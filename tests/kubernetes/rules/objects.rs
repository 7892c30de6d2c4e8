//! Kubernetes objects as JSON, and accessors for the rules.

use serde_json::Value;

/// All objects of an overlay.
pub(crate) struct Objects(Vec<Value>);

/// A workload: its kind, its name, and the template of its pods.
pub(crate) struct Workload<'a> {
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) pod: &'a Value,
}

impl Objects {
    /// Parses a `List`, as `kubectl get --output json` prints it.
    pub(crate) fn parse(text: &str) -> Self {
        let list: Value = serde_json::from_str(text).expect("kubectl prints JSON");
        Self(items(&list, "/items").cloned().collect())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    pub(crate) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |object| text(object, "/kind") == kind)
    }

    pub(crate) fn has(&self, kind: &str, name: &str) -> bool {
        self.of(kind).any(|object| text(object, "/metadata/name") == name)
    }

    pub(crate) fn workloads(&self) -> impl Iterator<Item = Workload<'_>> {
        self.0.iter().filter_map(|object| {
            let kind = text(object, "/kind");
            ["Deployment", "StatefulSet", "Job"].contains(&kind).then(|| Workload {
                kind,
                name: text(object, "/metadata/name"),
                pod: &object["spec"]["template"],
            })
        })
    }
}

impl<'a> Workload<'a> {
    pub(crate) fn containers(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        items(self.pod, "/spec/initContainers").chain(items(self.pod, "/spec/containers"))
    }

    pub(crate) fn labels(&self) -> &'a Value {
        &self.pod["metadata"]["labels"]
    }

    /// Whether a secret with this name is one of its volumes.
    pub(crate) fn mounts_secret(&self, name: &str) -> bool {
        items(self.pod, "/spec/volumes").any(|volume| text(volume, "/secret/secretName") == name)
    }

    /// The number of the port with this name or number.
    pub(crate) fn port(&self, port: &Value) -> Option<u64> {
        let mut ports = self.containers().flat_map(|container| items(container, "/ports"));
        let wanted = |found: &&Value| found["name"] == *port || found["containerPort"] == *port;
        ports.find(wanted).and_then(|found| found["containerPort"].as_u64())
    }

    /// The numbers of all its ports.
    pub(crate) fn ports(&self) -> Vec<u64> {
        let ports = self.containers().flat_map(|container| items(container, "/ports"));
        ports.filter_map(|port| port["containerPort"].as_u64()).collect()
    }
}

/// The string at a path; empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The elements at a path; none if there is no array.
pub(crate) fn items<'a>(value: &'a Value, path: &str) -> std::slice::Iter<'a, Value> {
    value.pointer(path).and_then(Value::as_array).map_or([].iter(), |array| array.iter())
}

/// Whether a label selector, with labels and expressions, selects these labels. An empty selector selects everything.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let exact = selector.get("matchLabels").and_then(Value::as_object);
    let exact = exact.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value));
    exact && items(selector, "/matchExpressions").all(|expression| expressed(expression, labels))
}

fn expressed(expression: &Value, labels: &Value) -> bool {
    let found = &labels[text(expression, "/key")];
    let listed = items(expression, "/values").any(|value| value == found);
    match text(expression, "/operator") {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => !found.is_null(),
        "DoesNotExist" => found.is_null(),
        other => panic!("no operator {other:?} in a selector"),
    }
}

/// A quantity of memory in Mi.
pub(crate) fn mebibytes(quantity: &str) -> Option<f64> {
    let units = [("Gi", 1024.0), ("Mi", 1.0), ("Ki", 1.0 / 1024.0)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((quantity.strip_suffix(unit)?, *factor)))
        .unwrap_or((quantity, 1.0 / 1024.0 / 1024.0));
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_are_read_as_kubernetes_reads_them() {
        let labels = json!({"name": "orders", "tier": "service"});
        for (selector, expected) in [
            (json!({}), true),
            (json!({"matchLabels": {"name": "orders"}}), true),
            (json!({"matchLabels": {"name": "orders", "tier": "backing"}}), false),
            (
                json!({"matchExpressions": [{"key": "name", "operator": "In", "values": ["catalog", "orders"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "name", "operator": "NotIn", "values": ["orders"]}]}),
                false,
            ),
            (json!({"matchExpressions": [{"key": "zone", "operator": "Exists"}]}), false),
            (json!({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}), true),
        ] {
            assert_eq!(selects(&selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn memory_is_read_in_all_its_spellings() {
        assert_eq!(mebibytes("1Gi"), Some(1024.0));
        assert_eq!(mebibytes("32Mi"), Some(32.0));
        assert_eq!(mebibytes("1048576"), Some(1.0));
        assert_eq!(mebibytes("much"), None);
    }
}
