//! The runbooks: three things to check for each alert, which can be checked.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{contract::Contract, query};

/// The sections: each with its heading and its numbered lines.
fn sections() -> Vec<(String, Vec<String>)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks.md");
    let text = fs::read_to_string(file).expect("the runbooks");
    let sections = text.split("\n## ").skip(1).map(|section| {
        let (heading, rest) = section.split_once('\n').unwrap_or((section, ""));
        let numbered = rest.lines().filter(|line| line.starts_with(['1', '2', '3']));
        (heading.to_owned(), numbered.map(str::to_owned).collect())
    });
    sections.collect()
}

/// The PromQL queries of a line; its other code is a command, a path, or a query for Loki.
fn queries(line: &str) -> impl Iterator<Item = &str> {
    let is_query = |code: &&str| {
        let other = ["/", "{service_name", "cargo ", "docker ", "go ", "kubectl ", "…", "grafana/"];
        !other.iter().any(|start| code.starts_with(start))
            && (code.contains(['_', '(']) || code.starts_with("up") || code.starts_with("ALERTS"))
    };
    line.split('`').skip(1).step_by(2).filter(is_query)
}

#[test]
fn every_query_of_a_runbook_reads_existing_series() {
    let (contract, mut wrong) = (Contract::read(), Vec::new());
    for (heading, lines) in sections() {
        assert_eq!(lines.len(), 3, "{heading} has three things to look at");
        for query in lines.iter().flat_map(|line| queries(line)) {
            let complaints = query::complaints(query, &contract).into_iter();
            wrong.extend(complaints.map(|complaint| format!("{heading}: {query}: {complaint}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_runbook_says_what_to_do_and_how_to_reproduce() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks.md");
    let text = fs::read_to_string(file).expect("the runbooks");
    for section in text.split("\n## ").skip(1) {
        for part in ["**Do.**", "**Try it.**"] {
            let heading = section.lines().next().unwrap_or_default();
            assert!(section.contains(part), "{heading} has no {part}");
        }
    }
}

/// The commands on the line of a section that begins with `place`: one line is for `cargo up` and Compose, one for a cluster.
fn commands<'a>(section: &'a str, place: &str) -> Vec<&'a str> {
    let line = section.lines().find_map(|line| line.strip_prefix(place)).unwrap_or_default();
    line.split('`').skip(1).step_by(2).collect()
}

/// Names and labels of workloads, as the manifests in `deploy` have them.
fn workloads() -> BTreeSet<String> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let folders = ["base", "components"].map(|folder| deploy.join(folder));
    let (mut names, mut open) = (BTreeSet::new(), Vec::from(folders));
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                names.extend(named(&fs::read_to_string(path).expect("a manifest")));
            }
        }
    }
    names
}

fn named(manifests: &str) -> Vec<String> {
    let mut found = Vec::new();
    for manifest in manifests.split("\n---") {
        let value = |name: &str| {
            manifest.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
        };
        let kind = match value("kind:") {
            "Deployment" => "deploy",
            "StatefulSet" => "statefulset",
            _ => continue,
        };
        found.push(format!("{kind}/{}", value("  name:")));
        let labels = manifest.split("app.kubernetes.io/").skip(1);
        found.extend(
            labels
                .filter_map(|label| label.split(['}', ',', '\n']).next())
                .map(|label| label.replacen(": ", "=", 1).trim().to_owned()),
        );
    }
    found
}

/// The names of workloads and the labels that a command for a cluster contains.
fn targets(command: &str) -> Vec<String> {
    let words = command.split(' ').map(|word| word.trim_matches('\''));
    let kinds = ["deploy/", "statefulset/"];
    words
        .filter_map(|word| match word.strip_prefix("app.kubernetes.io/") {
            Some(label) => label.contains('=').then_some(label),
            None => kinds.iter().any(|kind| word.starts_with(kind)).then_some(word),
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_runbook_has_commands_for_a_laptop_and_a_cluster() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks.md");
    let text = fs::read_to_string(file).expect("the runbooks");
    let (workloads, mut wrong) = (workloads(), Vec::new());
    for section in text.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap_or_default();
        if commands(section, "- Here: ").is_empty() {
            wrong.push(format!("{heading} has no command for `cargo up` or Compose"));
        }
        let cluster = commands(section, "- Kubernetes: ");
        let kubectl: Vec<_> =
            cluster.iter().filter(|command| command.starts_with("kubectl -n glassmesh ")).collect();
        if kubectl.is_empty() {
            wrong.push(format!("{heading} has no command for a cluster"));
        }
        let missing = kubectl.iter().flat_map(|command| targets(command));
        let missing = missing.filter(|target| !workloads.contains(target));
        wrong.extend(missing.map(|target| format!("{heading}: no manifest has {target}")));
        // The image has no `PATH` that would contain `mesh`.
        let nameless = kubectl.iter().filter(|command| command.contains(" -- mesh "));
        wrong.extend(nameless.map(|command| format!("{heading}: /mesh in {command}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn objects_in_runbook_commands_exist_in_the_manifests() {
    let manifest = "kind: Deployment\nmetadata:\n  name: orders\n  labels:\n    app.kubernetes.io/name: orders\n---\nkind: Service\nmetadata:\n  name: other";
    assert_eq!(named(manifest), ["deploy/orders", "name=orders"]);
    let command = "kubectl -n glassmesh logs deploy/orders -l app.kubernetes.io/name=shop";
    assert_eq!(targets(command), ["deploy/orders", "name=shop"]);
}

#[test]
fn queries_are_distinguished_from_commands() {
    let line = "1. Who: `up == 0`, `cargo mesh dlq list`, `mesh_lag{topic=\"a\"}` and `{service_name=\"a\"}`; `silent`";
    assert_eq!(queries(line).collect::<Vec<_>>(), ["up == 0", "mesh_lag{topic=\"a\"}"]);
}
