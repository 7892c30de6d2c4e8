//! The files below `grafana/` are those that the code generates.
//!
//! Here a difference is repaired and reported; in CI (`CI` is set) it is only reported.

#![expect(clippy::unwrap_used, reason = "a test that cannot read or write files has failed")]

#[path = "grafana/contract.rs"]
mod contract;
#[path = "grafana/links.rs"]
mod links;
#[path = "grafana/lint.rs"]
mod lint;
#[path = "grafana/panels.rs"]
mod panels;
#[path = "grafana/provisioning.rs"]
mod provisioning;
#[path = "grafana/query.rs"]
mod query;
#[path = "grafana/rules.rs"]
mod rules;
#[path = "grafana/runbooks.rs"]
mod runbooks;

use std::{collections::BTreeSet, fs, path::Path};

/// The folders of which every file is generated.
const MADE: [&str; 2] = ["dashboards", "rules"];

fn kept(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in MADE {
        for entry in fs::read_dir(root.join(folder)).into_iter().flatten() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                names.insert(format!("{folder}/{}", entry.file_name().into_string().unwrap()));
            }
        }
    }
    names
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration, and CI is a convention of the outside"
)]
fn the_files_are_what_the_code_makes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = grafana::files();
    let mut drifted = Vec::new();
    let repair = std::env::var_os("CI").is_none();
    for name in kept(root).iter().filter(|name| !made.contains_key(*name)) {
        drifted.push(format!("{name} (nothing makes it)"));
        if repair {
            fs::remove_file(root.join(name)).unwrap();
        }
    }
    for (name, text) in &made {
        if fs::read_to_string(root.join(name)).ok().as_ref() != Some(text) {
            drifted.push(name.clone());
            if repair {
                fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
                fs::write(root.join(name), text).unwrap();
            }
        }
    }
    let said =
        if repair { "written again; look at the difference" } else { "run cargo test -p grafana" };
    assert!(drifted.is_empty(), "{said}: {drifted:#?}");
}
