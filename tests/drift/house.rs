//! The house rules that no compiler and no lint checks: this test reads the tree.
//!
//! A rule is a function from a [`Tree`] to its complaints, so that each can be shown to fire on a bad tree made up beside it.
//! Rules that clippy and cargo-deny can enforce are in `.clippy.toml` and `.deny.toml`.

#[path = "house/commits.rs"]
mod commits;
#[path = "house/crates.rs"]
mod crates;
#[path = "house/floors.rs"]
mod floors;
#[path = "house/imports.rs"]
mod imports;
#[path = "house/layout.rs"]
mod layout;
#[path = "house/purity.rs"]
mod purity;
#[path = "house/source.rs"]
mod source;
#[path = "house/tree.rs"]
mod tree;
#[path = "house/versions.rs"]
mod versions;

use tree::Tree;

/// Asserts that our own tree follows a rule.
#[track_caller]
fn hold(rule: fn(&Tree) -> Vec<String>) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let complaints = rule(&Tree::read(root.as_ref()).expect("the tests run where the sources are"));
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[test]
fn a_service_depends_on_no_other_service() {
    hold(crates::independent);
}

#[test]
fn every_dependency_is_used() {
    hold(crates::used);
}

#[test]
fn every_version_in_the_workspace_is_inherited() {
    hold(crates::inherited);
}

#[test]
fn domains_are_pure() {
    hold(purity::domains);
}

#[test]
fn the_chassis_knows_no_business() {
    hold(purity::chassis);
}

#[test]
fn metrics_and_logs_follow_the_commit() {
    hold(commits::effects);
}

#[test]
fn files_are_short() {
    hold(layout::budget);
}

#[test]
fn files_are_found_by_their_noun() {
    hold(layout::names);
}

#[test]
fn every_folder_has_a_readme_with_decisions() {
    hold(layout::decisions);
}

#[test]
fn every_part_has_one_version_in_kubernetes_compose_and_the_lanes() {
    hold(versions::one);
}

#[test]
fn no_room_of_the_chassis_imports_upwards_or_sideways() {
    hold(floors::chassis);
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    hold(floors::circles);
}
