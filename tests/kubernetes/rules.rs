//! Rules for our Kubernetes objects. `check.sh` builds every overlay, lets a real API server admit it, and gives the admitted
//! objects to these tests as JSON (`KUBERNETES_OBJECTS`, a folder). Without that folder, the rules themselves are tested with
//! objects made up beside them.

#[path = "rules/hygiene.rs"]
mod hygiene;
#[path = "rules/objects.rs"]
mod objects;
#[path = "rules/policies.rs"]
mod policies;
#[path = "rules/references.rs"]
mod references;
#[path = "rules/resources.rs"]
mod resources;
#[path = "rules/stops.rs"]
mod stops;

use std::path::PathBuf;

use objects::Objects;

const OVERLAYS: [&str; 4] = ["local", "policies", "prod", "operators"];

/// The path in an environment variable that a script sets.
#[expect(clippy::disallowed_methods, reason = "a test's parameters are no settings of a service")]
fn handed(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} is not set: tests/kubernetes/README.md")).into()
}

/// The objects that check.sh built and the API server admitted.
fn admitted(overlay: &str) -> Objects {
    let path = handed("KUBERNETES_OBJECTS").join(format!("{overlay}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Objects::parse(&text)
}

#[track_caller]
fn hold(overlays: &[&str], rule: fn(&Objects) -> Vec<String>) {
    let complaints: Vec<_> = overlays
        .iter()
        .flat_map(|overlay| {
            rule(&admitted(overlay)).into_iter().map(move |what| format!("{overlay}: {what}"))
        })
        .collect();
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[test]
#[ignore = "check.sh runs it"]
fn every_object_says_what_it_is() {
    hold(&OVERLAYS, hygiene::labels);
}

#[test]
#[ignore = "check.sh runs it"]
fn every_image_has_a_version() {
    hold(&OVERLAYS, hygiene::images);
}

#[test]
#[ignore = "check.sh runs it"]
fn nothing_is_open_on_the_nodes_of_a_cluster() {
    hold(&OVERLAYS, hygiene::exposed);
}

#[test]
#[ignore = "check.sh runs it"]
fn production_has_no_link_to_localhost_and_no_anonymous_login() {
    hold(&["prod", "operators"], hygiene::leftovers);
}

#[test]
#[ignore = "check.sh runs it"]
fn no_pod_may_more_than_it_needs() {
    hold(&OVERLAYS, hygiene::restricted);
}

#[test]
#[ignore = "check.sh runs it"]
fn everything_that_is_named_is_there() {
    hold(&OVERLAYS, references::resolve);
}

#[test]
#[ignore = "check.sh runs it"]
fn the_lens_asks_every_pod_for_its_metrics() {
    hold(&OVERLAYS, references::scraped);
}

#[test]
#[ignore = "check.sh runs it"]
fn every_dashboard_and_every_rule_is_mounted() {
    hold(&OVERLAYS, references::files);
}

#[test]
#[ignore = "check.sh runs it"]
fn memory_is_limited_and_reserved() {
    hold(&OVERLAYS, resources::memory);
}

#[test]
#[ignore = "check.sh runs it"]
fn the_local_overlay_fits_into_a_laptop() {
    hold(&["local"], resources::budget);
}

#[test]
#[ignore = "check.sh runs it"]
fn a_pod_has_time_to_stop() {
    hold(&OVERLAYS, stops::agreement);
}

#[test]
#[ignore = "check.sh runs it"]
fn production_loses_a_node_without_notice() {
    hold(&["prod", "operators"], resources::replicas);
}

#[test]
#[ignore = "check.sh runs it"]
fn policies_allow_what_is_needed_and_nothing_else() {
    hold(&["policies"], |objects| policies::edges(objects, &policies::LOCAL));
    hold(&["prod", "operators"], |objects| policies::edges(objects, &policies::PRODUCTION));
}

#[test]
#[ignore = "check.sh runs it"]
fn policies_are_about_pods_that_are_there() {
    hold(&["policies", "prod", "operators"], policies::subjects);
}

/// The connections that pods.sh saw between the pods of the local overlay, in lines of `from to port`.
#[test]
#[ignore = "pods.sh runs it"]
fn policies_allow_every_connection_that_was_seen() {
    let seen = std::fs::read_to_string(handed("KUBERNETES_CONNECTIONS")).expect("it can be read");
    let refused = policies::refused(&admitted("policies"), &seen);
    assert!(refused.is_empty(), "\n  {}\n", refused.join("\n  "));
}
