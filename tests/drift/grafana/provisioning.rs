//! The data sources, and the links between them.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use crate::panels::{everywhere, list, text};

fn sources() -> Value {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("provisioning/datasources/glassmesh.yaml");
    let yaml = fs::read_to_string(file).expect("the data sources");
    serde_saphyr::from_str(&yaml).expect("YAML")
}

#[test]
fn every_data_source_link_has_a_target() {
    let sources = sources();
    let there: BTreeSet<_> =
        list(&sources, "/datasources").iter().map(|source| text(source, "/uid")).collect();
    let mut joints = Vec::new();
    everywhere(&sources, "datasourceUid", &mut joints);
    assert!(joints.len() >= 3, "{joints:?}");
    for joint in joints {
        assert!(joint.as_str().is_some_and(|uid| there.contains(uid)), "there is no {joint}");
    }
}

/// The exemplar's link is a URL to Explore: for a data source given by its uid, Grafana would send a TraceQL query.
#[test]
fn an_exemplar_links_to_a_jaeger_query() {
    let sources = sources();
    let prometheus = list(&sources, "/datasources")
        .iter()
        .find(|source| text(source, "/uid") == "prometheus")
        .expect("Prometheus");
    let url = text(prometheus, "/jsonData/exemplarTraceIdDestinations/0/url");
    let panes = url.strip_prefix("/explore?schemaVersion=1&panes=").expect("a page of Explore");
    let escapes = [("%7B", "{"), ("%7D", "}"), ("%5B", "["), ("%5D", "]"), ("%22", "\"")];
    let panes = escapes.iter().fold(panes.to_owned(), |panes, (from, to)| panes.replace(from, to));
    let panes: Value = serde_json::from_str(&panes).expect("JSON");
    // Provisioning replaces `$NAME` by an environment variable, so that a dollar is written twice.
    let query = json!([{ "refId": "A", "query": "$${__value.raw}" }]);
    assert_eq!(
        (&panes["trace"]["datasource"], &panes["trace"]["queries"]),
        (&json!("jaeger"), &query)
    );
}
