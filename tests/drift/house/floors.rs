//! The floors of the chassis, and circles of files.

use crate::{
    imports::{self, Arrow, Crate, Module},
    tree::Tree,
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

/// The crate that has floors.
const CHASSIS: &str = "services/chassis/src/lib.rs";

/// The rooms of the chassis by floor, from the top. A room is a module that `lib.rs` declares, with everything below it. Each
/// uses rooms of the floors below its own, and no room beside it.
const FLOORS: [&[&str]; 7] = [
    &["app"],
    &["events"],
    &["cache", "database", "grpc", "http", "kafka", "nats"],
    &["telemetry"],
    &["breaker", "config", "deadline", "messaging", "readiness", "server"],
    &["contract", "error", "identity", "metrics", "retry"],
    &["text"],
];

/// The chassis can be understood from the ground up: no import runs upwards or sideways.
pub(crate) fn chassis(tree: &Tree) -> Vec<String> {
    let chassis = Crate::read(tree, CHASSIS);
    let rooms = chassis.modules().filter_map(|module| module.first()).collect::<BTreeSet<_>>();
    let strangers = rooms.iter().filter(|room| floor(room).is_none());
    let mut complaints = strangers
        .map(|room| format!("{CHASSIS}: `{room}` stands on no floor; FLOORS lists the rooms"))
        .collect::<Vec<_>>();
    let missing = FLOORS.concat().into_iter().filter(|room| !rooms.iter().any(|is| is == room));
    complaints.extend(missing.map(|room| format!("{CHASSIS}: there is no room `{room}`")));
    complaints.extend(chassis.arrows().iter().filter_map(|arrow| misdirected(&chassis, arrow)));
    complaints
}

fn misdirected(chassis: &Crate, arrow: &Arrow) -> Option<String> {
    let (from, to) = (arrow.from.first()?, arrow.to.first()?);
    let (above, below) = (floor(from)?, floor(to)?);
    let direction = match above.cmp(&below) {
        Ordering::Greater => "upwards",
        Ordering::Equal if from != to => "sideways",
        Ordering::Equal | Ordering::Less => return None,
    };
    let file = chassis.file(&arrow.from);
    Some(format!("{file}:{}: `{from}` imports {direction} from `{to}`", arrow.line))
}

/// The floor of a room, counted from the top.
fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// No file needs itself in the end: each file can be read, tested and moved after those that it uses.
pub(crate) fn circles(tree: &Tree) -> Vec<String> {
    imports::crates(tree).iter().flat_map(circles_of).collect()
}

/// For each knot of files that reach each other, a shortest circle through its first file.
fn circles_of(of: &Crate) -> Vec<String> {
    let mut next: BTreeMap<Module, Vec<Arrow>> = BTreeMap::new();
    for arrow in of.arrows() {
        next.entry(arrow.from.clone()).or_default().push(arrow);
    }
    let reached = |module| (module, ways(&next, module));
    let reached = of.modules().map(reached).collect::<BTreeMap<_, _>>();
    let mut knotted: BTreeSet<&Module> = BTreeSet::new();
    let mut complaints = Vec::new();
    for (module, ways) in &reached {
        let Some(circle) = ways.get(*module).filter(|_| !knotted.contains(module)) else {
            continue;
        };
        let knot = ways.keys().filter(|other| reached[*other].contains_key(*module));
        let before = knotted.len();
        knotted.extend(knot);
        let steps = circle.iter().map(|arrow| format!("{}:{}", of.file(&arrow.from), arrow.line));
        let steps = steps.collect::<Vec<_>>().join(" -> ");
        let size = knotted.len() - before;
        complaints.push(format!(
            "a circle: {steps} -> {} ({size} files reach each other)",
            of.file(module)
        ));
    }
    complaints
}

/// A shortest way from a file to each that it reaches, itself included if it does.
fn ways<'a>(
    next: &'a BTreeMap<Module, Vec<Arrow>>,
    from: &Module,
) -> BTreeMap<&'a Module, Vec<&'a Arrow>> {
    let mut ways: BTreeMap<&Module, Vec<&Arrow>> = BTreeMap::new();
    let mut waiting = VecDeque::from([(from, Vec::new())]);
    while let Some((at, way)) = waiting.pop_front() {
        for arrow in next.get(at).into_iter().flatten() {
            if !ways.contains_key(&arrow.to) {
                let way = [way.as_slice(), &[arrow]].concat();
                ways.insert(&arrow.to, way.clone());
                waiting.push_back((&arrow.to, way));
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        let tree = Tree::from([
            ("x/src/lib.rs", "mod a; mod b; mod c;"),
            ("x/src/a.rs", "use crate::b::B;"),
            ("x/src/b.rs", "\nuse crate::c::C;"),
            ("x/src/c.rs", "fn f() { crate::a::f() }"),
        ]);
        let circle = "a circle: x/src/a.rs:1 -> x/src/b.rs:2 -> x/src/c.rs:1 -> x/src/a.rs (3 files reach each other)";
        assert_eq!(circles(&tree), [circle]);
    }

    #[test]
    fn a_circle_through_a_room_and_its_parts_is_found() {
        let tree = Tree::from([
            ("x/src/main.rs", "mod a; mod d;"),
            ("x/src/a.rs", "mod b; pub use b::B;"),
            ("x/src/a/b.rs", "use crate::d::D;"),
            ("x/src/d.rs", "use crate::a::B;"),
        ]);
        let circle = "a circle: x/src/a.rs:1 -> x/src/a/b.rs:1 -> x/src/d.rs:1 -> x/src/a.rs (3 files reach each other)";
        assert_eq!(circles(&tree), [circle]);
    }

    #[test]
    fn files_that_use_each_other_one_way_are_no_circle() {
        let tree = Tree::from([
            ("x/src/lib.rs", "mod a; mod d; pub use d::D;"),
            ("x/src/a.rs", "mod b; mod c; struct A; fn f() { b::f(); c::f() }"),
            ("x/src/a/b.rs", "use super::{A, c}; use crate::D;"),
            ("x/src/a/c.rs", "use super::A;"),
            ("x/src/d.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
        ]);
        assert_eq!(circles(&tree), [""; 0]);
    }

    /// The complaints about one file of a chassis that has all rooms.
    fn in_chassis(path: &str, source: &str) -> Vec<String> {
        let rooms = FLOORS.concat();
        let declared = rooms.iter().map(|room| format!("mod {room};")).collect::<String>();
        let root = format!("{declared} pub use error::Error;");
        let mut files = vec![(CHASSIS.to_owned(), root)];
        files.extend(rooms.iter().map(|room| (in_src(room), "mod part; use part::X;".to_owned())));
        files.extend(rooms.iter().map(|room| (in_src(&format!("{room}/part")), String::new())));
        files.retain(|(file, _)| *file != in_src(path));
        files.push((in_src(path), source.to_owned()));
        chassis(&files.into_iter().collect())
    }

    fn in_src(name: &str) -> String {
        format!("services/chassis/src/{name}.rs")
    }

    #[test]
    fn an_import_upwards_is_found() {
        for source in ["use crate::telemetry::X;", "fn f() { crate::telemetry::part::f() }"] {
            assert_eq!(
                in_chassis("error/part", source),
                ["services/chassis/src/error/part.rs:1: `error` imports upwards from `telemetry`"]
            );
        }
    }

    #[test]
    fn an_import_sideways_is_found() {
        assert_eq!(
            in_chassis("kafka/part", "use super::X;\nuse crate::{Error, database::X};"),
            ["services/chassis/src/kafka/part.rs:2: `kafka` imports sideways from `database`"]
        );
    }

    #[test]
    fn imports_downwards_and_within_a_room_are_left_alone() {
        let source = "use super::X; use crate::{Error, kafka::part::X, telemetry, config::X};";
        assert_eq!(in_chassis("kafka/part", source), [""; 0]);
    }

    #[test]
    fn a_room_without_a_floor_and_a_floor_without_its_room_are_found() {
        let complaints = chassis(&Tree::from([
            (CHASSIS, "mod cellar;"),
            ("services/chassis/src/cellar.rs", ""),
        ]));
        assert!(complaints[0].contains("`cellar` stands on no floor"), "{complaints:?}");
        assert!(complaints[1].contains("there is no room `app`"), "{complaints:?}");
    }
}
