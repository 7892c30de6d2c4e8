//! Which crates depend on which, and whether they use what they declare.

use crate::{
    source::{self, Atom},
    tree::Tree,
};
use std::collections::BTreeSet;

/// This crate may depend on every service: it is the binary that contains them.
const BINARY: &str = "mesh";

/// Dependencies that no source names, and the reason for each.
const UNNAMED: &[(&str, &str, &str)] = &[];

/// A member of the workspace.
struct Member {
    folder: String,
    name: String,
    dependencies: Vec<Dependency>,
    /// Roots of tests, examples and benches outside of its folder, and the files that these include by `#[path]`.
    roots: Vec<Root>,
}

/// The first file of a module tree, and the folder of its other files.
struct Root {
    file: String,
    modules: String,
}

struct Dependency {
    /// The crate's name in the sources.
    alias: String,
    package: String,
    kind: Kind,
    inherited: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Normal,
    Development,
    Build,
}

/// A service depends only on `chassis` and `proto`, and these depend on no service: each service can be read, tested, copied
/// and deleted alone. Tests may also use `harness`.
pub(crate) fn independent(tree: &Tree) -> Vec<String> {
    let members = members(tree);
    let house = members.iter().map(|member| member.name.as_str()).collect::<BTreeSet<_>>();
    let mut complaints = Vec::new();
    for member in members.iter().filter(|member| member.name != BINARY) {
        for dependency in &member.dependencies {
            let package = dependency.package.as_str();
            if house.contains(package)
                && package != member.name
                && !member.may_depend_on(dependency)
            {
                complaints.push(format!(
                    "{}/Cargo.toml: {} may not depend on {package}; let them talk over a contract",
                    member.folder, member.name
                ));
            }
        }
    }
    complaints
}

/// Declared dependencies are used, and those that only tests use are dev-dependencies.
pub(crate) fn used(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for member in members(tree) {
        let (mut code, mut all) = (BTreeSet::new(), BTreeSet::new());
        for (path, text) in
            tree.files().filter(|(path, _)| path.ends_with(".rs") && member.owns(path))
        {
            let named = crates_named(path, text);
            if path.starts_with(&format!("{}/src/", member.folder)) {
                code.extend(named.iter().cloned());
            }
            all.extend(named);
        }
        for dependency in &member.dependencies {
            let name = dependency.alias.replace('-', "_");
            let excused = UNNAMED
                .iter()
                .any(|(owner, unnamed, _)| *owner == member.name && *unnamed == dependency.alias);
            let complaint = match (dependency.kind, all.contains(&name)) {
                (_, true) if excused => "is used after all; strike it from the list of exceptions",
                (_, false) if !excused => "is not used",
                (Kind::Normal, true) if !code.contains(&name) => {
                    "is used by tests only: make it a dev-dependency"
                }
                _ => continue,
            };
            complaints
                .push(format!("{}/Cargo.toml: {} {complaint}", member.folder, dependency.alias));
        }
    }
    complaints
}

/// `[workspace.dependencies]` is the list of versions; a line that no member inherits is a leftover.
pub(crate) fn inherited(tree: &Tree) -> Vec<String> {
    let members = members(tree);
    let root = manifest(tree, "Cargo.toml");
    let Some(versions) = at(&root, &["workspace", "dependencies"]) else { return vec![] };
    let is_inherited = |name: &&String| {
        let mut dependencies = members.iter().flat_map(|member| &member.dependencies);
        !dependencies.any(|dependency| dependency.inherited && dependency.alias == **name)
    };
    versions
        .keys()
        .filter(is_inherited)
        .map(|name| format!("Cargo.toml: no crate inherits {name}"))
        .collect()
}

impl Member {
    fn may_depend_on(&self, other: &Dependency) -> bool {
        match (self.name.as_str(), other.package.as_str()) {
            ("proto", package) => package == "chassis",
            // The list of services depends on nothing; the services themselves need no list.
            ("registry", _) => false,
            ("grafana" | "harness", "registry") => true,
            (_, "harness") => other.kind == Kind::Development,
            // The embedded servers know nothing of the mesh.
            ("embedded-kafka" | "embedded-nats", "embedded-limits") => true,
            ("embedded-kafka" | "embedded-nats" | "embedded-limits", _) => false,
            // The log of events, for the operator's commands and the console; its tests need a broker.
            ("lens", "event-log") => true,
            ("event-log", "embedded-kafka") => other.kind == Kind::Development,
            // The parts of a small Prometheus know nothing of the mesh, either.
            ("promrules" | "timeseries", "promql")
            | ("lens", "promql" | "promrules" | "timeseries") => true,
            ("promql" | "promrules" | "timeseries", _) => false,
            // The generated rules are evaluated in tests.
            ("grafana", "promql" | "promrules") => other.kind == Kind::Development,
            // `profiler` knows nothing of the mesh, and is a crate of its own because of its `unsafe`.
            ("chassis", "profiler") => true,
            ("chassis" | "profiler", _) => false,
            (_, "proto") => true,
            ("harness", _) => false,
            (_, package) => package == "chassis",
        }
    }

    fn owns(&self, path: &str) -> bool {
        let below =
            |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        below(&self.folder)
            || self.roots.iter().any(|root| path == root.file || below(&root.modules))
    }
}

/// The first word of every path, of every import, and of every string: `#[serde(with = "humantime_serde")]`.
fn crates_named(path: &str, text: &str) -> BTreeSet<String> {
    let atoms = source::atoms(path, text, true);
    let mut names = BTreeSet::new();
    for path in source::paths(&atoms) {
        if path.imported || path.segments.len() > 1 {
            names.extend(path.segments.into_iter().next());
        }
    }
    for (atom, _) in atoms {
        if let Atom::Literal(literal) = atom {
            let word = literal.trim_matches('"').split("::").next().unwrap_or_default();
            names.insert(word.to_owned());
        }
    }
    names
}

fn members(tree: &Tree) -> Vec<Member> {
    let manifests =
        tree.files().filter_map(|(path, _)| Some((path, path.strip_suffix("/Cargo.toml")?)));
    manifests.map(|(path, folder)| member(tree, folder, &manifest(tree, path))).collect()
}

fn member(tree: &Tree, folder: &str, manifest: &toml::Table) -> Member {
    let kinds = [
        ("dependencies", Kind::Normal),
        ("dev-dependencies", Kind::Development),
        ("build-dependencies", Kind::Build),
    ];
    let mut tables = vec![manifest];
    if let Some(targets) = at(manifest, &["target"]) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let mut dependencies = Vec::new();
    for table in tables {
        for (section, kind) in kinds {
            for (alias, value) in at(table, &[section]).into_iter().flatten() {
                dependencies.push(Dependency {
                    alias: alias.clone(),
                    package: value
                        .get("package")
                        .and_then(toml::Value::as_str)
                        .unwrap_or(alias)
                        .to_owned(),
                    kind,
                    inherited: value.get("workspace").is_some(),
                });
            }
        }
    }
    let name = at(manifest, &["package"]).and_then(|package| package.get("name")?.as_str());
    Member {
        folder: folder.to_owned(),
        name: name.unwrap_or(folder).to_owned(),
        dependencies,
        roots: roots(tree, folder, manifest),
    }
}

/// The files that `[[test]] path = "../drift/house.rs"` and the like name, and those that they include by
/// `#[path = "../stories/stories.rs"]`.
fn roots(tree: &Tree, folder: &str, manifest: &toml::Table) -> Vec<Root> {
    let targets = ["test", "bench", "example", "bin"]
        .iter()
        .filter_map(|kind| manifest.get(*kind)?.as_array())
        .flatten();
    let mut roots = Vec::new();
    for path in targets.filter_map(|target| target.get("path")?.as_str()) {
        let file = resolve(folder, path);
        let modules = file.strip_suffix("/main.rs").or(file.strip_suffix(".rs"));
        let around = parent(&file).to_owned();
        let taken_in = tree.file(&file).unwrap_or_default().lines().filter_map(|line| {
            let file =
                resolve(&around, line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]")?);
            Some(Root { modules: parent(&file).to_owned(), file })
        });
        roots.extend(taken_in);
        roots.push(Root { modules: modules.unwrap_or_default().to_owned(), file: file.clone() });
    }
    roots
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn resolve(folder: &str, path: &str) -> String {
    let mut parts = folder.split('/').collect::<Vec<_>>();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn manifest(tree: &Tree, path: &str) -> toml::Table {
    let text = tree.file(path).unwrap_or_default();
    text.parse().unwrap_or_else(|error| panic!("{path} is not TOML: {error}"))
}

fn at<'a>(table: &'a toml::Table, path: &[&str]) -> Option<&'a toml::Table> {
    path.iter().try_fold(table, |table, key| table.get(*key)?.as_table())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYMENTS: (&str, &str) = ("services/payments/Cargo.toml", "[package]\nname = 'payments'");
    const HARNESS: (&str, &str) = ("tests/harness/Cargo.toml", "[package]\nname = 'harness'");

    fn orders(manifest: &str, source: &str) -> Tree {
        let manifest = format!("[package]\nname = 'orders'\n{manifest}");
        Tree::from([
            ("services/orders/Cargo.toml", manifest.as_str()),
            ("services/orders/src/lib.rs", source),
            ("services/orders/tests/story.rs", "use tempfile::tempdir;"),
            ("tests/drift/wire.rs", "#[path = \"../shared/once.rs\"]\nmod once;"),
            ("tests/shared/once.rs", "use insta::assert_snapshot;"),
            PAYMENTS,
            HARNESS,
        ])
    }

    #[test]
    fn a_service_that_depends_on_another_is_found() {
        for manifest in [
            "[dependencies]\npayments.workspace = true",
            "[dependencies]\nbilling = { path = '../payments', package = 'payments' }",
            "[dev-dependencies]\npayments = { path = '../payments' }",
            "[build-dependencies]\npayments.workspace = true",
            "[target.'cfg(unix)'.dependencies]\npayments.workspace = true",
            "[dependencies]\nharness.workspace = true",
        ] {
            let complaints = independent(&orders(manifest, ""));
            assert_eq!(complaints.len(), 1, "{manifest}: {complaints:?}");
            assert!(
                complaints[0].starts_with("services/orders/Cargo.toml: orders may not depend on ")
            );
        }
    }

    #[test]
    fn the_chassis_and_the_contracts_depend_on_no_service() {
        let chassis = "[package]\nname = 'chassis'\n[dependencies]\nproto.workspace = true";
        let proto = "[package]\nname = 'proto'\n[dependencies]\npayments.workspace = true";
        let profiler = "[package]\nname = 'profiler'\n[dependencies]\nchassis.workspace = true";
        let embedded = "[package]\nname = 'embedded-kafka'\n[dependencies]\nproto.workspace = true";
        let tree = Tree::from([
            ("services/embedded-kafka/Cargo.toml", embedded),
            ("services/chassis/Cargo.toml", chassis),
            ("services/profiler/Cargo.toml", profiler),
            ("proto/Cargo.toml", proto),
            PAYMENTS,
        ]);
        assert_eq!(independent(&tree).len(), 4);
    }

    #[test]
    fn chassis_proto_and_harness_are_allowed_dependencies() {
        let manifest = "[dependencies]\nchassis.workspace = true\nproto.workspace = true\n[dev-dependencies]\nharness.workspace = true";
        assert_eq!(independent(&orders(manifest, "")), [""; 0]);
        let binary = "[package]\nname = 'mesh'\n[dependencies]\npayments.workspace = true";
        assert_eq!(
            independent(&Tree::from([("services/mesh/Cargo.toml", binary), PAYMENTS])),
            [""; 0]
        );
    }

    #[test]
    fn an_unused_dependency_is_found() {
        let complaints =
            used(&orders("[dependencies]\nparking_lot = '1'", "// use parking_lot::Mutex;"));
        assert_eq!(complaints, ["services/orders/Cargo.toml: parking_lot is not used"]);
    }

    #[test]
    fn a_dependency_of_tests_alone_is_found() {
        let complaints = used(&orders("[dependencies]\ntempfile = '1'", ""));
        assert_eq!(
            complaints,
            [
                "services/orders/Cargo.toml: tempfile is used by tests only: make it a dev-dependency"
            ]
        );
    }

    #[test]
    fn a_dependency_is_used_by_path_import_derive_or_string() {
        let manifest = "[dependencies]\na = '1'\nb = '1'\nc-d = '1'\ne = '1'\nf = '1'\n[dev-dependencies]\ntempfile = '1'\n\
             insta = '1'\n[[test]]\nname = 'wire'\npath = '../../tests/drift/wire.rs'";
        let source = "use {b::X, e as y}; #[derive(a::Error)] #[serde(with = \"c_d::option\")] struct S; fn g() { f::h!() }";
        assert_eq!(used(&orders(manifest, source)), [""; 0]);
    }

    #[test]
    fn a_version_without_a_user_is_found() {
        let root = ("Cargo.toml", "[workspace.dependencies]\nprost = '1'\nbytes = '1'\nrand = '1'");
        let proto = ("proto/Cargo.toml", "[dependencies]\nprost.workspace = true\nrand = '2'");
        let complaints = inherited(&Tree::from([root, proto]));
        assert_eq!(
            complaints,
            ["Cargo.toml: no crate inherits bytes", "Cargo.toml: no crate inherits rand"]
        );
    }
}
