//! What may be counted or logged before a commit.

use proc_macro2::Delimiter;

use crate::{
    source::{self, Atom, Placed},
    tree::Tree,
};

/// Methods that change a metric.
const COUNTS: [&str; 3] = ["inc", "inc_by", "observe"];

/// Macros whose log line says that something happened; `debug!` may say what is being tried.
const TELLS: [&str; 2] = ["info", "warn"];

/// A function that receives a transaction returns before the commit, which may fail: it must count and log in
/// `Tx::after_commit`.
pub(crate) fn effects(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| is_service(path)) {
        let atoms = source::atoms(path, text, false);
        for (at, (atom, _)) in atoms.iter().enumerate() {
            if *atom == Atom::Word("fn".to_owned())
                && let Some(body) = body_with_transaction(&atoms[at..])
            {
                let found = early(body).into_iter();
                complaints.extend(found.map(|(word, line)| {
                    format!("{path}:{line}: `{word}` before the commit; use Tx::after_commit")
                }));
            }
        }
    }
    complaints
}

fn is_service(path: &str) -> bool {
    path.starts_with("services/")
        && path.contains("/src/")
        && path.ends_with(".rs")
        && !path.starts_with("services/chassis/")
        && !path.ends_with("tests.rs")
}

/// The body of the function that begins here, if one of its parameters is a `&mut Tx`.
fn body_with_transaction(function: &[Placed]) -> Option<&[Placed]> {
    let parameters = function.iter().position(|(atom, _)| is_open(atom, Delimiter::Parenthesis))?;
    let end = parameters + length(&function[parameters..]);
    let is_tx = |atoms: &[Placed]| matches!(atoms, [(Atom::Word(word), _), (Atom::Word(tx), _)] if word == "mut" && tx == "Tx");
    function[parameters..end].windows(2).find(|pair| is_tx(pair))?;
    let rest = &function[end..];
    let body = rest
        .iter()
        .position(|(atom, _)| is_open(atom, Delimiter::Brace) || *atom == Atom::Mark(';'))?;
    Some(&rest[body..body + length(&rest[body..])])
}

/// The number of atoms of the group that begins here; 1 if none begins here.
fn length(atoms: &[Placed]) -> usize {
    let mut depth = 0_usize;
    for (index, (atom, _)) in atoms.iter().enumerate() {
        match atom {
            Atom::Open(_) => depth += 1,
            Atom::Close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    atoms.len()
}

/// The words that count or log outside of `after_commit(…)`, and their lines.
fn early(body: &[Placed]) -> Vec<(&str, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < body.len() {
        if let Atom::Word(word) = &body[at].0 {
            let before = at.checked_sub(1).map(|at| &body[at].0);
            let after = body.get(at + 1).map(|(atom, _)| atom);
            if word == "after_commit" {
                at += 1 + length(&body[at + 1..]);
                continue;
            }
            let counts = COUNTS.contains(&&**word) && before == Some(&Atom::Mark('.'));
            let tells = TELLS.contains(&&**word) && after == Some(&Atom::Mark('!'));
            if counts || tells {
                found.push((word.as_str(), body[at].1));
            }
        }
        at += 1;
    }
    found
}

fn is_open(atom: &Atom, delimiter: Delimiter) -> bool {
    *atom == Atom::Open(delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(source: &str) -> Vec<String> {
        effects(&Tree::from([("services/orders/src/orders.rs", source)]))
    }

    #[test]
    fn a_metric_or_log_before_the_commit_is_found() {
        for source in [
            "async fn f(&self, tx: &mut Tx) -> Result<(), Error> { self.metrics.placed.inc(); }",
            "fn f(tx: &mut Tx) { delay.with(&[x]).observe(1.0); }",
            "fn f(tx: &mut Tx) { if x { tracing::info!(\"order settled\"); } }",
            "fn f(tx: &mut Tx) { tx.after_commit(move || a.inc()); b.inc(); }",
            "fn f(tx: &mut chassis::database::Tx) {}\nfn g(tx: &mut Tx) { warn!(\"x\") }",
        ] {
            assert_eq!(complaints(source).len(), 1, "{source}: {:?}", complaints(source));
        }
    }

    #[test]
    fn a_metric_after_the_commit_is_accepted() {
        for source in [
            "fn f(tx: &mut Tx) { tx.after_commit(move || { a.inc(); info!(\"order settled\"); }); }",
            "async fn f(&self) { tx.commit().await?; self.placed.inc(); }",
            "fn f(tx: &mut Tx);\nfn g() { a.inc() }",
            "fn f(tx: &mut Tx) { debug!(\"nothing to change\"); let inc = inc(1); }",
        ] {
            assert_eq!(complaints(source), [""; 0], "{source}");
        }
    }
}
