//! Rust sources as words and paths, so that a comment or a string is never mistaken for code.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A token, groups flattened.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Atom {
    Word(String),
    Literal(String),
    /// `::`
    Into,
    Open(Delimiter),
    Close,
    Mark(char),
}

/// An [`Atom`] and its line.
pub(crate) type Placed = (Atom, usize);

/// A path as a reader sees it: `use a::{b, c::d}` is `a::b` and `a::c::d`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) imported: bool,
    /// The name after `as`.
    pub(crate) alias: Option<String>,
    /// How many modules with a body of their own, in this file, are around it.
    pub(crate) inline: usize,
    pub(crate) line: usize,
}

/// Every token of a source except comments and documentation; with `tests: false` also without its test code.
pub(crate) fn atoms(path: &str, source: &str, tests: bool) -> Vec<Placed> {
    let tokens = source.parse().unwrap_or_else(|error| panic!("{path} is not Rust: {error}"));
    let mut atoms = Vec::new();
    flatten(tokens, tests, &mut atoms);
    atoms
}

fn flatten(tokens: TokenStream, tests: bool, atoms: &mut Vec<Placed>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let line = token.span().start().line;
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                tokens.next_if(
                    |next| matches!(next, TokenTree::Punct(bang) if bang.as_char() == '!'),
                );
                let Some(TokenTree::Group(attribute)) = tokens.peek() else { continue };
                let text = attribute.stream().to_string().replace(' ', "");
                if text.starts_with("doc=") {
                    tokens.next();
                } else if !tests
                    && (text == "test"
                        || text.starts_with("cfg(test")
                        || text.contains("(all(test"))
                {
                    skip_item(&mut tokens);
                }
            }
            TokenTree::Punct(colon)
                if colon.as_char() == ':' && colon.spacing() == Spacing::Joint =>
            {
                tokens.next();
                atoms.push((Atom::Into, line));
            }
            TokenTree::Punct(mark) => atoms.push((Atom::Mark(mark.as_char()), line)),
            TokenTree::Ident(word) => atoms.push((Atom::Word(word.to_string()), line)),
            TokenTree::Literal(literal) => atoms.push((Atom::Literal(literal.to_string()), line)),
            TokenTree::Group(group) => {
                atoms.push((Atom::Open(group.delimiter()), line));
                flatten(group.stream(), tests, atoms);
                atoms.push((Atom::Close, group.span_close().start().line));
            }
        }
    }
}

/// An item ends with its braces or with a semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    tokens.find(|token| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(mark) => mark.as_char() == ';',
        _ => false,
    });
}

/// Every path, including single words.
pub(crate) fn paths(atoms: &[Placed]) -> Vec<Path> {
    let mut found = Vec::new();
    let (mut at, mut imported) = (0, false);
    // One entry for each open group: whether it is the body of a module.
    let mut open = Vec::new();
    while at < atoms.len() {
        let before = found.len();
        match &atoms[at].0 {
            Atom::Open(delimiter) => {
                open.push(*delimiter == Delimiter::Brace && names_module(&atoms[..at]));
                at += 1;
            }
            Atom::Close => {
                open.pop();
                at += 1;
            }
            Atom::Word(word) if word == "use" => {
                imported = true;
                at += 1;
            }
            Atom::Word(_) => at = unfold(atoms, at, &[], imported, &mut found),
            Atom::Into if closes_generics(&atoms[..at]) => at += 2, // `<T as A>::b`
            Atom::Mark(';') => {
                imported = false;
                at += 1;
            }
            _ => at += 1,
        }
        let inline = open.iter().filter(|is_module| **is_module).count();
        found[before..].iter_mut().for_each(|path: &mut Path| path.inline = inline);
    }
    found
}

/// Whether `mod name` stands at the end.
fn names_module(before: &[Placed]) -> bool {
    matches!(before, [.., (Atom::Word(keyword), _), (Atom::Word(_), _)] if keyword == "mod")
}

fn closes_generics(before: &[Placed]) -> bool {
    let is = |from_end: usize, mark| {
        before.len() >= from_end && before[before.len() - from_end].0 == Atom::Mark(mark)
    };
    is(1, '>') && !is(2, '-')
}

/// Reads one path, or one branch of a `use` tree, and returns where it ends.
fn unfold(
    atoms: &[Placed],
    mut at: usize,
    prefix: &[String],
    imported: bool,
    found: &mut Vec<Path>,
) -> usize {
    let (mut segments, line) = (prefix.to_vec(), atoms[at].1);
    loop {
        match atoms.get(at) {
            Some((Atom::Word(word), _)) => segments.push(word.clone()),
            Some((Atom::Mark('*'), _)) => segments.push("*".to_owned()),
            Some((Atom::Open(Delimiter::Brace), _)) => {
                at += 1;
                while !matches!(atoms.get(at), None | Some((Atom::Close, _))) {
                    let is_branch = matches!(atoms[at].0, Atom::Word(_) | Atom::Mark('*'));
                    at = if is_branch {
                        unfold(atoms, at, &segments, imported, found)
                    } else {
                        at + 1
                    };
                }
                return at + 1;
            }
            _ => break, // a turbofish
        }
        at += 1;
        if !matches!(atoms.get(at), Some((Atom::Into, _))) {
            break;
        }
        at += 1;
    }
    let alias = match atoms.get(at..) {
        Some([(Atom::Word(word), _), (Atom::Word(alias), _), ..]) if imported && word == "as" => {
            Some(alias.clone())
        }
        _ => None,
    };
    let end = if alias.is_some() { at + 2 } else { at };
    found.push(Path { segments, imported, alias, inline: 0, line });
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Vec<String> {
        paths(&atoms("x.rs", source, false)).iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn a_use_tree_unfolds() {
        let source = "use a::{self, b as x, c::{d, e::*}}; pub use f::g; use h;";
        assert_eq!(read(source), ["a::self", "a::b", "a::c::d", "a::c::e::*", "pub", "f::g", "h"]);
    }

    #[test]
    fn comments_documentation_and_tests_are_not_code() {
        let source = "//! a::b\n/// c::d\n// e::f\n#[cfg(test)] mod tests { use g::h; }\n#[test] fn i() { j::k() }\nl::m!();";
        assert_eq!(read(source), ["l::m"]);
    }

    #[test]
    fn a_path_is_read_from_its_beginning() {
        assert_eq!(
            read("::a::b(<C as d::E>::f, g::<h::I>::new())"),
            ["a::b", "C", "as", "d::E", "g", "h::I"]
        );
    }

    #[test]
    fn lines_are_counted() {
        let found = paths(&atoms("x.rs", "use a::{\n  b,\n  c,\n};\n\nd::e!{}", true));
        let lines = found.iter().map(|path| (path.line, path.imported)).collect::<Vec<_>>();
        assert_eq!(lines, [(2, true), (3, true), (6, false)]);
    }
}
