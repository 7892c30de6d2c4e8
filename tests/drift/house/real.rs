//! The real lane prepares what the mesh needs.

use crate::{
    source::{self, Atom},
    tree::Tree,
};
use std::collections::BTreeSet;

const PARTS: &str = "tests/real/parts.sh";
const TOPICS: &str = "proto/src/topics.rs";

/// `parts.sh` creates every topic that `proto::topics` names, and a database for every service with migrations. A
/// shell script cannot ask Rust, so it repeats both lists; here they are compared.
pub(crate) fn complete(tree: &Tree) -> Vec<String> {
    let Some(script) = tree.file(PARTS) else { return vec![format!("{PARTS} is missing")] };
    let (topics, ledgers) = (topics(tree), ledgers(tree));
    let lists = [("TOPICS", &topics), ("LEDGERS", &ledgers)];
    let mut complaints = Vec::new();
    for (name, wanted) in lists {
        let start = format!("{name}=\"");
        let line =
            script.lines().find_map(|line| line.strip_prefix(start.as_str())?.strip_suffix('"'));
        let found = line.unwrap_or_default().split_whitespace().collect::<BTreeSet<_>>();
        complaints.extend(
            wanted.difference(&found).map(|missing| format!("{PARTS}: {name} lacks {missing}")),
        );
        complaints.extend(
            found
                .difference(wanted)
                .map(|extra| format!("{PARTS}: {name} has {extra}, which nothing uses")),
        );
    }
    complaints
}

fn topics(tree: &Tree) -> BTreeSet<&str> {
    let text = tree.file(TOPICS).unwrap_or_default();
    let atoms = source::atoms(TOPICS, text, false);
    let names = atoms.into_iter().filter_map(|(atom, _)| match atom {
        Atom::Literal(literal) if literal.ends_with(".events\"") => Some(literal),
        _ => None,
    });
    names.filter_map(|literal| text[text.find(&literal)? + 1..].split('"').next()).collect()
}

fn ledgers(tree: &Tree) -> BTreeSet<&str> {
    let migrations = tree
        .files()
        .filter_map(|(path, _)| path.strip_prefix("services/")?.split_once("/migrations/"));
    migrations.map(|(service, _)| service).filter(|service| *service != "chassis").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_superfluous_topic_or_ledger_is_found() {
        let tree = Tree::from([
            (PARTS, "TOPICS=\"orders.events carts.events\"\nLEDGERS=\"orders\"\n"),
            (
                TOPICS,
                "// \"old.events\"\npub const A: &str = \"orders.events\"; pub const B: &str = \"payments.events\";",
            ),
            ("services/orders/migrations/sqlite/1.sql", ""),
            ("services/payments/migrations/sqlite/1.sql", ""),
            ("services/chassis/migrations/sqlite/1.sql", ""),
        ]);
        assert_eq!(
            complete(&tree),
            [
                "tests/real/parts.sh: TOPICS lacks payments.events",
                "tests/real/parts.sh: TOPICS has carts.events, which nothing uses",
                "tests/real/parts.sh: LEDGERS lacks payments"
            ]
        );
    }
}
