//! The targets of links in dashboards.

use serde_json::Value;

use crate::panels::{Dashboard, everywhere, list, text};

/// A link to a dashboard leads to one of ours, and sets only variables that it has.
pub(crate) fn lead_somewhere(dashboard: &Dashboard) -> Vec<String> {
    let mut urls = Vec::new();
    everywhere(&dashboard.json, "url", &mut urls);
    let all = Dashboard::all();
    let mut complaints = Vec::new();
    for url in urls.into_iter().filter_map(Value::as_str) {
        let Some((_, target)) = url.split_once("/d/") else { continue };
        // The dashboard's name comes from the alert; the test of the alerts checks that it exists.
        if target.starts_with("${__data.fields.dashboard}") {
            continue;
        }
        let (uid, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(there) = all.iter().find(|one| one.file == uid) else {
            complaints.push(format!("{url} leads nowhere"));
            continue;
        };
        let given =
            query.split('&').filter_map(|pair| pair.strip_prefix("var-")?.split('=').next());
        let unknown = given.filter(|name| {
            !there.variables().iter().any(|variable| text(variable, "/name") == *name)
        });
        complaints.extend(unknown.map(|name| format!("{url}: {uid} has no variable {name}")));
    }
    complaints
}

/// A link takes its values from existing columns: one that a table leaves out has no value.
pub(crate) fn fields(dashboard: &Dashboard) -> Vec<String> {
    let mut complaints = Vec::new();
    for panel in dashboard.panels() {
        let mut urls = Vec::new();
        everywhere(panel.0, "url", &mut urls);
        let links: String = urls.into_iter().filter_map(Value::as_str).collect();
        for transformation in list(panel.0, "/transformations") {
            let left_out = transformation.pointer("/options/excludeByName");
            for name in left_out.and_then(Value::as_object).into_iter().flat_map(|all| all.keys()) {
                if links.contains(&format!("${{__data.fields.{name}}}")) {
                    complaints
                        .push(format!("{:?} links to {name}, which it leaves out", panel.title()));
                }
            }
        }
    }
    complaints
}
