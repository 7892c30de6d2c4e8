//! Each part has one version, wherever it runs.

use std::collections::BTreeMap;

use crate::tree::Tree;

/// The file that sets the versions for every overlay.
const VERSIONS: &str = "deploy/components/versions/kustomization.yaml";
const BASE: &str = "deploy/base/kustomization.yaml";
const MESH: &str = "registry.invalid/glassmesh/mesh";
const COMPOSE: [&str; 2] = ["deploy/compose.yaml", "deploy/compose.observability.yaml"];
/// Each image, and the place where a lane of `.ci/run` sets the version of the same program. The lanes run Jaeger from its
/// last published module, PostgreSQL and Valkey from Debian, and no Grafana.
const LANES: [(&str, &str, &str); 6] = [
    ("apache/kafka", "tests/real/parts/kafka.sh", "KAFKA"),
    ("grafana/loki", "tests/real/parts/loki.sh", "LOKI"),
    ("nats", "tests/real/parts/nats.sh", "NATS"),
    ("otel/opentelemetry-collector-contrib", "tests/real/parts/otelcol.sh", "OTELCOL"),
    ("prom/alertmanager", "tests/real/parts/alertmanager.sh", "ALERTMANAGER"),
    ("prom/prometheus", "tests/real/parts/prometheus.sh", "PROMETHEUS"),
];

/// Every image has one version, in Kubernetes, in Compose and in the lanes of `.ci/run`.
pub(crate) fn one(tree: &Tree) -> Vec<String> {
    let pinned = pinned(tree.file(VERSIONS).unwrap_or_default());
    let mut complaints = Vec::new();
    if pinned.is_empty() {
        complaints.push(format!("{VERSIONS} names no version"));
    }
    complaints.extend(labelled(tree, &pinned));
    for (path, text) in tree.files() {
        let elsewhere = path.starts_with("deploy/") && path != VERSIONS;
        if elsewhere && text.lines().any(|line| line.trim_start().starts_with("newTag:")) {
            complaints.push(format!("{path}: versions belong into {VERSIONS}"));
        }
    }
    for file in COMPOSE {
        for (image, tag) in images(tree.file(file).unwrap_or_default()) {
            if pinned.get(image) != Some(&tag) {
                complaints.push(format!(
                    "{file}: {image}:{tag}, but {VERSIONS} has {pinned:?}",
                    pinned = pinned.get(image)
                ));
            }
        }
    }
    for (image, file, variable) in LANES {
        let built = assigned(tree.file(file).unwrap_or_default(), variable);
        let version = pinned.get(image).map(|tag| number(tag));
        if built.is_none() || built != version {
            complaints.push(format!(
                "{file}: {variable} is {built:?}, but {VERSIONS} has {version:?} of {image}"
            ));
        }
    }
    complaints
}

/// The version label of the mesh's own objects.
fn labelled(tree: &Tree, pinned: &BTreeMap<&str, &str>) -> Option<String> {
    let text = tree.file(BASE).unwrap_or_default();
    let label =
        text.lines().find_map(|line| line.trim_start().strip_prefix("app.kubernetes.io/version: "));
    let version = pinned.get(MESH).copied();
    (label != version).then(|| {
        format!("{BASE}: the label is {label:?}, but {VERSIONS} has {version:?} of {MESH}")
    })
}

/// `newTag` by image.
fn pinned(text: &str) -> BTreeMap<&str, &str> {
    let pairs = text.lines().zip(text.lines().skip(1)).filter_map(|(name, tag)| {
        Some((
            name.trim_start().strip_prefix("- name: ")?,
            tag.trim_start().strip_prefix("newTag: ")?,
        ))
    });
    pairs.collect()
}

/// `image: [&anchor] name:tag[@digest]`, or `${VARIABLE:-name:tag}`.
fn images(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let image = line.trim_start().strip_prefix("image: ")?.rsplit(' ').next()?;
        let image =
            image.rsplit_once(":-").map_or(image, |(_, default)| default.trim_end_matches('}'));
        image.split('@').next()?.rsplit_once(':')
    })
}

fn assigned<'a>(script: &'a str, variable: &str) -> Option<&'a str> {
    script.lines().find_map(|line| line.strip_prefix(variable)?.strip_prefix('='))
}

/// `3.15.1` of `v3.15.1` and of `3.15.1-alpine`.
fn number(tag: &str) -> &str {
    tag.trim_start_matches('v').split('-').next().unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "images:\n  - name: apache/kafka\n    newTag: 4.4.0\n  - name: nats\n    newTag: 2.15.3-alpine\n";

    #[test]
    fn a_version_that_differs_in_compose_or_in_a_lane_is_found() {
        let tree = Tree::from([
            (VERSIONS, GOOD),
            ("deploy/base/kustomization.yaml", "images:\n  - name: nats\n    newTag: 1.0.0\n"),
            (
                COMPOSE[0],
                "    image: &kafka apache/kafka:4.3.1@sha256:ab\n    image: *kafka\n    image: nats:2.15.3-alpine\n",
            ),
            (LANES[0].1, "KAFKA=4.4.0\n"),
            (LANES[2].1, "NATS=2.15.2\n"),
        ]);
        let complaints = one(&tree);
        let about =
            |what: &str| complaints.iter().filter(|complaint| complaint.contains(what)).count();
        assert_eq!(about("versions belong into"), 1, "{complaints:?}");
        assert_eq!(about("apache/kafka:4.3.1"), 1, "{complaints:?}");
        assert_eq!(about("NATS is Some(\"2.15.2\")"), 1, "{complaints:?}");
        assert_eq!(about("KAFKA"), 0, "{complaints:?}");
        let labels = "app.kubernetes.io/version: 0.2.0\n";
        let tree = Tree::from([
            (VERSIONS, "- name: registry.invalid/glassmesh/mesh\n  newTag: 0.1.0\n"),
            (BASE, labels),
        ]);
        assert!(
            one(&tree).iter().any(|complaint| complaint.contains("the label is Some(\"0.2.0\")"))
        );
    }

    #[test]
    fn an_image_in_a_variable_default_is_found() {
        let found: Vec<_> =
            images("  image: ${MESH_IMAGE:-registry.invalid/glassmesh/mesh:0.1.0}\n").collect();
        assert_eq!(found, [("registry.invalid/glassmesh/mesh", "0.1.0")]);
    }
}
