//! Which file of a crate uses which: the arrows between its modules.
//!
//! An arrow runs from a file to the file of the module that one of its paths names: `crate::kafka::poll::Poll`,
//! `super::poll::Poll`, or `poll::Poll` after `use crate::kafka::poll`. If that module passes the name on
//! (`pub use poll::Poll`), the arrow ends there: the module's own arrow leads on.
//!
//! A file is a part of the modules around it, so that no arrow runs from it to the files of these: a child may use what its
//! parent defines, and the parent what the child defines. What a module around it only passes on (`crate::Error`,
//! `super::Sibling`) counts as used from where it comes. Declaring a module (`mod poll;`) is no use, and tests do not count.

use crate::{
    source::{self, Atom, Path},
    tree::Tree,
};
use std::collections::{BTreeMap, BTreeSet};

/// The names of modules from the crate's root: `["kafka", "poll"]`.
pub(crate) type Module = Vec<String>;

/// The files of one crate, from `lib.rs` or `main.rs` on.
pub(crate) struct Crate {
    files: BTreeMap<Module, Source>,
}

struct Source {
    file: String,
    paths: Vec<Path>,
}

/// A use of one file in another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Arrow {
    pub(crate) from: Module,
    pub(crate) to: Module,
    pub(crate) line: usize,
}

/// Every crate of the workspace.
pub(crate) fn crates(tree: &Tree) -> Vec<Crate> {
    let roots = tree.files().filter(|(path, _)| {
        path.ends_with("/src/lib.rs")
            || path.ends_with("/src/main.rs")
            || path.contains("/src/bin/")
    });
    roots.map(|(root, _)| Crate::read(tree, root)).collect()
}

impl Crate {
    /// Follows `mod name;` from the root; test code is left out.
    pub(crate) fn read(tree: &Tree, root: &str) -> Self {
        let mut files = BTreeMap::new();
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut waiting = vec![(Module::new(), root.to_owned())];
        while let Some((module, file)) = waiting.pop() {
            let atoms = source::atoms(&file, tree.file(&file).unwrap_or_default(), false);
            for name in declared(&atoms) {
                let child = [module.as_slice(), &[name]].concat();
                let file = format!("{folder}/{}.rs", child.join("/"));
                if tree.file(&file).is_some() {
                    waiting.push((child, file));
                }
            }
            let paths = [source::paths(&atoms), in_strings(&atoms)].concat();
            files.insert(module, Source { file, paths });
        }
        Self { files }
    }

    pub(crate) fn file(&self, module: &Module) -> &str {
        &self.files[module].file
    }

    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.files.keys()
    }

    /// Every arrow; of several between the same files, the first.
    pub(crate) fn arrows(&self) -> Vec<Arrow> {
        let mut arrows: BTreeMap<(Module, Module), usize> = BTreeMap::new();
        for (from, source) in &self.files {
            for path in source.paths.iter().filter(|path| path.imported || path.segments.len() > 1)
            {
                let named = self.named(from, path);
                for to in self.used(from, &named, &mut BTreeSet::new()) {
                    let line = arrows.entry((from.clone(), to)).or_insert(path.line);
                    *line = path.line.min(*line);
                }
            }
        }
        arrows.into_iter().map(|((from, to), line)| Arrow { from, to, line }).collect()
    }

    /// The modules of other files that a name stands for; none if it is of `from`, of a module around that, or of another
    /// crate.
    fn used(&self, from: &Module, named: &[String], seen: &mut BTreeSet<Module>) -> Vec<Module> {
        if named.first().is_none_or(|first| first != "crate") || !seen.insert(named.to_vec()) {
            return vec![];
        }
        let (holder, rest) = self.holder(&named[1..]);
        if !from.starts_with(&holder) {
            return vec![holder];
        }
        let Some(name) = rest.first() else { return vec![] };
        let passed_on = self.bound(&holder, name);
        let further = passed_on.map(|passed_on| [&passed_on, &rest[1..]].concat());
        further.map(|named| self.used(from, &named, seen)).unwrap_or_default()
    }

    /// The innermost module on the way that is a file, and the rest of the way.
    fn holder<'a>(&self, way: &'a [String]) -> (Module, &'a [String]) {
        let is_file = |length: &usize| self.files.contains_key(&way[..*length]);
        let length = (0..=way.len()).rev().find(is_file).unwrap_or(0);
        (way[..length].to_vec(), &way[length..])
    }

    /// The full path behind a path in a file: `crate::…`, or as it stands if it is of another crate.
    fn named(&self, module: &Module, path: &Path) -> Vec<String> {
        let within = vec!["{}".to_owned(); path.inline];
        let mut around = [module.as_slice(), &within].concat();
        let mut rest = path.segments.as_slice();
        let mut relative = false;
        loop {
            match rest.first().map(String::as_str) {
                Some("crate") => around.clear(),
                Some("super") => drop(around.pop()),
                Some("self") => {}
                _ => break,
            }
            relative = true;
            rest = &rest[1..];
        }
        let absolute = |around: &[String]| {
            let around = around.iter().filter(|name| *name != "{}").cloned();
            ["crate".to_owned()].into_iter().chain(around).chain(rest.iter().cloned()).collect()
        };
        let Some(first) = rest.first() else { return absolute(&around) };
        let child = [module.as_slice(), std::slice::from_ref(first)].concat();
        if relative || self.files.contains_key(&child) {
            return absolute(&around);
        }
        let imported = (!path.imported).then(|| self.bound(module, first)).flatten();
        imported.map_or_else(|| path.segments.clone(), |prefix| [&prefix, &rest[1..]].concat())
    }

    /// What a name means in a module that imports it or passes it on.
    fn bound(&self, module: &Module, name: &str) -> Option<Vec<String>> {
        let imports = self.files[module].paths.iter().filter(|path| path.imported);
        let mut bound = imports.filter(|path| path.binds() == Some(name));
        bound.next().map(|path| {
            let mut named = self.named(module, path);
            named.pop_if(|last| last == "self");
            named
        })
    }
}

impl Path {
    /// The name that an import makes known.
    fn binds(&self) -> Option<&str> {
        let named = self.segments.iter().rfind(|segment| *segment != "self");
        self.alias.as_deref().or(named.map(String::as_str))
    }
}

/// The `name` of every `mod name;`.
fn declared(atoms: &[source::Placed]) -> Vec<String> {
    let name = |window: &[source::Placed]| match window {
        [(Atom::Word(keyword), _), (Atom::Word(name), _), (Atom::Mark(';'), _)]
            if keyword == "mod" =>
        {
            Some(name.clone())
        }
        _ => None,
    };
    atoms.windows(3).filter_map(name).collect()
}

/// Paths in strings: `#[serde(with = "crate::duration")]`.
fn in_strings(atoms: &[source::Placed]) -> Vec<Path> {
    let path = |(atom, line): &source::Placed| {
        let Atom::Literal(literal) = atom else { return None };
        let segments = literal.trim_matches('"').split("::").map(str::to_owned).collect::<Vec<_>>();
        let is_word = |word: &String| {
            !word.is_empty() && word.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        };
        (segments.len() > 1 && segments.iter().all(is_word)).then_some(Path {
            segments,
            imported: false,
            alias: None,
            inline: 0,
            line: *line,
        })
    };
    atoms.iter().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arrows of a crate with the files `lib.rs`, `a.rs`, `a/b.rs`, `a/c.rs` and `d.rs`, as text.
    fn arrows(sources: [(&str, &str); 4]) -> Vec<String> {
        let files = sources.map(|(name, source)| (format!("x/src/{name}.rs"), source));
        let [a, b, c, d] = files.each_ref().map(|(path, source)| (path.as_str(), *source));
        let root = ("x/src/lib.rs", "mod a; mod d; pub use d::Error;");
        let tree = Tree::from([root, a, b, c, d]);
        let read = Crate::read(&tree, "x/src/lib.rs");
        let name = |module: &Module| module.join("::");
        let arrows = read.arrows().into_iter().filter(|arrow| !arrow.from.is_empty());
        arrows.map(|arrow| format!("{} -> {}", name(&arrow.from), name(&arrow.to))).collect()
    }

    fn of_a(a: &str) -> Vec<String> {
        let a = format!("mod b; mod c; {a}");
        arrows([("a", &a), ("a/b", ""), ("a/c", ""), ("d", "")])
    }

    fn of_b(b: &str) -> Vec<String> {
        arrows([("a", "mod b; mod c; use c::C; struct A;"), ("a/b", b), ("a/c", ""), ("d", "")])
            .into_iter()
            .filter(|arrow| arrow.starts_with("a::b"))
            .collect()
    }

    #[test]
    fn an_arrow_is_a_path_to_another_file() {
        for source in [
            "use crate::d::D;",
            "use super::d;",
            "use crate::{Kind, d::{self, D}};",
            "fn f() -> crate::d::D {}",
            "use crate::Error;",
            "fn f() { crate::Error::new() }",
            "#[serde(with = \"crate::d\")] struct S;",
            "mod inner { use super::super::d::D; }",
        ] {
            assert_eq!(of_a(source), ["a -> d"], "{source}");
        }
        assert_eq!(of_a("fn f() { b::f() }"), ["a -> a::b"]);
        assert_eq!(of_a("use b::B;"), ["a -> a::b"]);
    }

    #[test]
    fn a_module_under_another_name_is_followed() {
        let b = "use crate::a::{self as room, c as see}; fn f() { see::f(); room::c::g() }";
        assert_eq!(of_b(b), ["a::b -> a::c"]);
        assert_eq!(of_b("use crate::d as other; fn f() { other::f() }"), ["a::b -> d"]);
    }

    #[test]
    fn a_parent_module_is_no_arrow_but_its_re_exports_are() {
        assert_eq!(of_b("use super::A; use crate::a; fn f(a: a::A) {}"), [""; 0]);
        assert_eq!(of_b("use super::{A, C};"), ["a::b -> a::c"]);
        assert_eq!(of_b("use crate::Error;"), ["a::b -> d"]);
        assert_eq!(of_b("mod inner { use super::super::A; }"), [""; 0]);
    }

    #[test]
    fn tests_declarations_and_other_crates_are_no_arrows() {
        for source in [
            "",
            "use std::d::D; use d::D; fn f() { serde::d() }",
            "#[cfg(test)] mod tests { use crate::d::D; }",
            "// crate::d\n/// [`crate::d`]\nfn f() -> &'static str { \"see crate::d\" }",
            "fn f() { Self::d(); self.d() }",
        ] {
            assert_eq!(of_a(source), [""; 0], "{source}");
        }
    }
}
