//! The length of files, their names, and the READMEs of folders.

use crate::tree::Tree;
use std::collections::BTreeSet;

/// The maximum length of a file, in lines: what a reader can keep in mind.
const LONGEST: usize = 400;

/// Names that say where a file was put, not what it contains.
const PLACELESS: [&str; 7] = ["common", "helper", "helpers", "misc", "shared", "util", "utils"];

/// Hand-written code; `src/gen` is generated, `vendor` is of others.
fn is_code(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    ["css", "java", "js", "mjs", "proto", "rs", "sh"].contains(&ending)
        && !["/src/gen/", "/vendor/"].iter().any(|folder| path.contains(folder))
}

/// No file is longer than [`LONGEST`]. The complaint also reports the median, which should stay below 120.
pub(crate) fn budget(tree: &Tree) -> Vec<String> {
    let code = tree.files().filter(|(path, _)| is_code(path));
    let mut lengths = code.map(|(path, text)| (text.lines().count(), path)).collect::<Vec<_>>();
    lengths.sort_unstable();
    let Some((median, _)) = lengths.get(lengths.len() / 2) else { return vec![] };
    let long = lengths.iter().rev().take_while(|(lines, _)| *lines > LONGEST);
    let mut complaints = long
        .map(|(lines, path)| {
            format!("{path} has {lines} lines; {LONGEST} is the limit: split it by noun")
        })
        .collect::<Vec<_>>();
    if !complaints.is_empty() {
        complaints
            .push(format!("(the median of {} files is {median} lines; aim at 120)", lengths.len()));
    }
    complaints
}

/// A file is named after the noun that it is about: `foo.rs` beside `foo/`, and no file for leftovers.
pub(crate) fn names(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, _) in tree.files() {
        let mut parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        if path.ends_with("/mod.rs") {
            complaints.push(format!(
                "{path}: name the module's file after the module, beside its folder"
            ));
        } else if let Some(part) = parts.find(|part| PLACELESS.contains(part)) {
            complaints.push(format!("{path}: `{part}` says nothing; name it by its noun"));
        }
    }
    complaints
}

/// Every top-level folder has a README that ends with its decisions: `decision — because — instead of`.
pub(crate) fn decisions(tree: &Tree) -> Vec<String> {
    let folders =
        tree.files().filter_map(|(path, _)| Some(path.split_once('/')?.0)).collect::<BTreeSet<_>>();
    let readmes = folders.into_iter().map(|folder| format!("{folder}/README.md"));
    let judge = |readme: String| {
        let complaint = match tree.file(&readme) {
            None => "is missing",
            Some(text) => undecided(text)?,
        };
        Some(format!("{readme} {complaint}"))
    };
    readmes.filter_map(judge).collect()
}

fn undecided(text: &str) -> Option<&'static str> {
    let Some((_, last)) = text.rsplit_once("\n## ") else {
        return Some("has no section `## Decisions`");
    };
    let Some(last) = last.strip_prefix("Decisions\n") else {
        return Some("does not end with `## Decisions`");
    };
    let entries = last.trim().split("\n- ").collect::<Vec<_>>();
    if !entries[0].starts_with("- ") {
        return Some("does not list its decisions: `- decision — because — instead of`");
    }
    let is_whole = |entry: &&str| entry.split_whitespace().filter(|word| *word == "—").count() >= 2;
    let whole = entries.iter().all(is_whole);
    (!whole).then_some("has a decision that is not `decision — because — instead of`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_and_the_median_reported() {
        let (long, short) = ("//\n".repeat(401), "//\n".repeat(400));
        let tree = Tree::from([
            ("services/orders/src/saga.rs", long.as_str()),
            ("services/orders/src/store.rs", &short),
            ("services/orders/src/lib.rs", "//\n"),
            ("console/app.js", "//\n"),
            ("console/pages/mesh.js", &long),
            ("console/vendor/plot/dist/plot.js", &long),
            ("proto/src/gen/mesh.orders.v1.rs", &long),
            ("Cargo.lock", &long),
        ]);
        assert_eq!(
            budget(&tree),
            [
                "services/orders/src/saga.rs has 401 lines; 400 is the limit: split it by noun",
                "console/pages/mesh.js has 401 lines; 400 is the limit: split it by noun",
                "(the median of 5 files is 400 lines; aim at 120)"
            ]
        );
    }

    #[test]
    fn forbidden_file_names_are_found() {
        for path in [
            "services/orders/src/domain/mod.rs",
            "services/orders/src/utils.rs",
            "tests/common/mesh.rs",
            "proto/helpers.sh",
        ] {
            assert_eq!(names(&Tree::from([(path, "")])).len(), 1, "{path}");
        }
        let fine = Tree::from([
            ("services/orders/src/domain.rs", ""),
            ("services/orders/src/modest.rs", ""),
        ]);
        assert_eq!(names(&fine), [""; 0]);
    }

    #[test]
    fn a_folder_without_a_readme_is_found() {
        for (readme, complaint) in [
            ("# Orders\n", "has no section `## Decisions`"),
            (
                "# Orders\n\n## Decisions\n\n- a — b — c\n\n## More\n",
                "does not end with `## Decisions`",
            ),
            (
                "# Orders\n\n## Decisions\n\nNone yet.\n",
                "does not list its decisions: `- decision — because — instead of`",
            ),
            (
                "# Orders\n\n## Decisions\n\n- a — b — c\n- d — e\n",
                "has a decision that is not `decision — because — instead of`",
            ),
        ] {
            let tree = Tree::from([("deploy/README.md", readme)]);
            assert_eq!(decisions(&tree), [format!("deploy/README.md {complaint}")]);
        }
        assert_eq!(
            decisions(&Tree::from([("deploy/Dockerfile", ""), ("README.md", "")])),
            ["deploy/README.md is missing"]
        );
        let fine = "# Orders\n\n## Decisions\n\n- a — because b\n  — instead of c\n- d — e — f\n";
        assert_eq!(decisions(&Tree::from([("deploy/README.md", fine)])), [""; 0]);
    }
}
