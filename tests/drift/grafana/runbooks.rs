//! The runbooks: three things to look at, which can be looked at.

use std::{fs, path::Path};

use crate::{contract::Contract, query};

/// The sections, each with its heading and its numbered lines.
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

/// What of a line is meant for Prometheus; the rest is a command, a path, or for Loki.
fn queries(line: &str) -> impl Iterator<Item = &str> {
    let is_query = |code: &&str| {
        let other = ["/", "{service_name", "cargo ", "docker ", "go ", "kubectl ", "…", "grafana/"];
        !other.iter().any(|start| code.starts_with(start))
            && (code.contains(['_', '(']) || code.starts_with("up") || code.starts_with("ALERTS"))
    };
    line.split('`').skip(1).step_by(2).filter(is_query)
}

#[test]
fn what_to_look_at_can_be_looked_at() {
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
fn every_section_says_what_to_do_and_how_to_try_it() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks.md");
    let text = fs::read_to_string(file).expect("the runbooks");
    for section in text.split("\n## ").skip(1) {
        for part in ["**Do.**", "**Try it.**"] {
            let heading = section.lines().next().unwrap_or_default();
            assert!(section.contains(part), "{heading} has no {part}");
        }
    }
}

#[test]
fn queries_are_told_from_commands() {
    let line = "1. Who: `up == 0`, `cargo mesh dlq list`, `mesh_lag{topic=\"a\"}` and `{service_name=\"a\"}`; `silent`";
    assert_eq!(queries(line).collect::<Vec<_>>(), ["up == 0", "mesh_lag{topic=\"a\"}"]);
}
