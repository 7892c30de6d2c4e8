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
fn every_object_has_the_recommended_labels() {
    hold(&OVERLAYS, hygiene::labels);
}

#[test]
#[ignore = "check.sh runs it"]
fn every_image_has_a_fixed_version() {
    hold(&OVERLAYS, hygiene::images);
}

#[test]
#[ignore = "check.sh runs it"]
fn no_service_is_exposed_on_the_nodes() {
    hold(&OVERLAYS, hygiene::exposed);
}

#[test]
#[ignore = "check.sh runs it"]
fn production_has_no_link_to_localhost_and_no_anonymous_login() {
    hold(&["prod", "operators"], hygiene::leftovers);
}

#[test]
#[ignore = "check.sh runs it"]
fn every_pod_has_minimal_privileges() {
    hold(&OVERLAYS, hygiene::restricted);
}

#[test]
#[ignore = "check.sh runs it"]
fn every_reference_between_objects_resolves() {
    hold(&OVERLAYS, references::resolve);
}

#[test]
#[ignore = "check.sh runs it"]
fn lens_scrapes_every_pod() {
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
fn the_memory_limits_of_the_local_overlay_fit_a_laptop() {
    hold(&["local"], resources::budget);
}

#[test]
#[ignore = "check.sh runs it"]
fn every_pod_has_enough_time_to_drain() {
    hold(&OVERLAYS, stops::agreement);
}

#[test]
#[ignore = "check.sh runs it"]
fn production_survives_the_loss_of_a_node() {
    hold(&["prod", "operators"], resources::replicas);
}

#[test]
#[ignore = "check.sh runs it"]
fn policies_allow_exactly_the_needed_connections() {
    hold(&["policies"], |objects| policies::edges(objects, &policies::LOCAL));
    hold(&["prod", "operators"], |objects| policies::edges(objects, &policies::PRODUCTION));
}

#[test]
#[ignore = "check.sh runs it"]
fn every_policy_selects_existing_pods() {
    hold(&["policies", "prod", "operators"], policies::subjects);
}

/// The connections that pods.sh saw between the pods of the local overlay, in lines of `from to port`.
#[test]
#[ignore = "pods.sh runs it"]
fn policies_allow_every_observed_connection() {
    let seen = std::fs::read_to_string(handed("KUBERNETES_CONNECTIONS")).expect("it can be read");
    let refused = policies::refused(&admitted("policies"), &seen);
    assert!(refused.is_empty(), "\n  {}\n", refused.join("\n  "));
}
