//! Names that a file may not use.

use crate::{
    source::{self, Atom, Path},
    tree::Tree,
};

/// Paths that a `domain.rs` may not name: everything that waits, communicates or stores, or that is not deterministic.
const IMPURE: [&[&str]; 24] = [
    &["tokio"],
    &["futures"],
    &["sqlx"],
    &["tonic"],
    &["axum"],
    &["reqwest"],
    &["rdkafka"],
    &["async_nats"],
    &["rand"],
    &["chassis", "database"],
    &["chassis", "events"],
    &["chassis", "grpc"],
    &["chassis", "http"],
    &["chassis", "kafka"],
    &["chassis", "nats"],
    &["std", "env"],
    &["std", "fs"],
    &["std", "io"],
    &["std", "net"],
    &["std", "process"],
    &["std", "thread"],
    &["SystemTime", "now"],
    &["Instant", "now"],
    &["Timestamp", "now"],
];

/// `domain.rs` only decides, so that each decision can be tested with values, and replayed.
pub(crate) fn domains(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| is_domain(path)) {
        let atoms = source::atoms(path, text, false);
        for (atom, line) in &atoms {
            if matches!(atom, Atom::Word(word) if word == "async" || word == "await") {
                complaints.push(format!("{path}:{line}: a domain does not wait"));
            }
        }
        for found in source::paths(&atoms)
            .iter()
            .filter(|found| IMPURE.iter().any(|what| names(found, what)))
        {
            complaints.push(format!(
                "{path}:{}: a domain does not know {}",
                found.line,
                found.segments.join("::")
            ));
        }
    }
    complaints
}

fn is_domain(path: &str) -> bool {
    path.starts_with("services/") && (path.ends_with("/domain.rs") || path.contains("/src/domain/"))
}

/// Whether a path names this: a crate or module at its beginning, a function of a type anywhere in it.
fn names(path: &Path, what: &[&str]) -> bool {
    let segments = path.segments.iter().map(String::as_str).collect::<Vec<_>>();
    let is_used = path.imported || segments.len() > 1;
    let is_type = what[0].starts_with(char::is_uppercase);
    is_used
        && if is_type {
            segments.windows(what.len()).any(|part| part == what)
        } else {
            segments.starts_with(what)
        }
}

/// Words of the shop, in the singular. Without `delivery`, a word of brokers too, and `identity`, which every process has.
const BUSINESS: [&str; 20] = [
    "basket",
    "cart",
    "catalog",
    "catalogue",
    "checkout",
    "customer",
    "inventory",
    "invoice",
    "order",
    "parcel",
    "payment",
    "price",
    "product",
    "refund",
    "reservation",
    "shipment",
    "shipping",
    "shop",
    "sku",
    "stock",
];

/// Phrases in which one of those words has another meaning.
const ORDINARY: [&str; 6] =
    ["order by", "in order", "out of order", "byte order", "memory order", "order of"];

/// The chassis is everything that is not the business: none of its identifiers and strings has a word of the shop. Its
/// comments and tests may use them as examples.
pub(crate) fn chassis(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| is_chassis(path)) {
        for (atom, line) in source::atoms(path, text, false) {
            let (Atom::Word(text) | Atom::Literal(text)) = atom else { continue };
            if let Some(word) = business_word(&text) {
                complaints.push(format!(
                    "{path}:{line}: `{word}` is the business of a service, in {text}"
                ));
            }
        }
    }
    complaints
}

fn is_chassis(path: &str) -> bool {
    path.starts_with("services/chassis/src/")
        && path.ends_with(".rs")
        && !path.ends_with("/tests.rs")
        && !path.contains("/tests/")
}

fn business_word(text: &str) -> Option<&'static str> {
    let text = words(text);
    let text = ORDINARY
        .iter()
        .fold(format!(" {text} "), |text, phrase| text.replace(&format!(" {phrase} "), "  "));
    BUSINESS
        .into_iter()
        .find(|word| text.contains(&format!(" {word} ")) || text.contains(&format!(" {word}s ")))
}

/// `OrderPlaced`, `order_placed` and `"mesh.orders/placed"` as lowercase words between spaces.
fn words(text: &str) -> String {
    let mut words = String::new();
    let mut after_lower = false;
    for letter in text.chars() {
        if letter.is_uppercase() && after_lower {
            words.push(' ');
        }
        after_lower = letter.is_lowercase();
        words.extend(if letter.is_alphanumeric() {
            letter.to_lowercase().collect::<Vec<_>>()
        } else {
            vec![' ']
        });
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(source: &str) -> Vec<String> {
        domains(&Tree::from([("services/orders/src/domain.rs", source)]))
    }

    #[test]
    fn an_impure_domain_is_found() {
        for source in [
            "use tokio::sync::mpsc;",
            "use sqlx;",
            "use chassis::{Error, events::Event};",
            "use std::{collections::BTreeMap, fs};",
            "fn now() -> Time { std::time::SystemTime::now().into() }",
            "use std::time::SystemTime; fn now() -> Time { SystemTime::now().into() }",
            "fn f() { let socket = std::net::TcpStream::connect(address); }",
            "impl From<tonic::Status> for Error {}",
            "async fn f() {}",
            "fn f() -> impl Future { async move {} }",
        ] {
            assert_eq!(domain(source).len(), 1, "{source}: {:?}", domain(source));
        }
        let module = Tree::from([("services/orders/src/domain/status.rs", "\n\nuse axum::Json;")]);
        assert_eq!(
            domains(&module),
            ["services/orders/src/domain/status.rs:3: a domain does not know axum::Json"]
        );
    }

    #[test]
    fn a_pure_domain_is_accepted() {
        let source = "//! Not tokio::spawn.
            use chassis::Error;
            use std::{collections::BTreeMap, time::SystemTime};
            fn decide(now: SystemTime) -> &'static str { \"std::fs\" }
            #[cfg(test)]
            mod tests { use std::fs; #[test] fn f() { SystemTime::now(); } }";
        assert_eq!(domain(source), [""; 0]);
        assert_eq!(
            domains(&Tree::from([("services/orders/src/store.rs", "use sqlx::Row;")])),
            [""; 0]
        );
    }

    fn in_chassis(source: &str) -> Vec<String> {
        chassis(&Tree::from([("services/chassis/src/kafka.rs", source)]))
    }

    #[test]
    fn a_business_word_in_the_chassis_is_found() {
        for source in [
            "struct OrderPlaced;",
            "fn f(order_id: u64) {}",
            "const TOPIC: &str = \"payments.events\";",
            "const SQL: &str = \"select * from stock\";",
            "fn f() { g(sku) }",
            "enum Kind { OutOfStock }",
        ] {
            assert_eq!(in_chassis(source).len(), 1, "{source}: {:?}", in_chassis(source));
        }
    }

    #[test]
    fn ordinary_words_in_the_chassis_are_accepted() {
        let source = "/// Keeps the order of an order's events.
            use std::sync::atomic::Ordering;
            fn in_order(reordered: &str) { query(\"select id from outbox order by id\"); }
            // orders
            #[cfg(test)]
            mod tests { const TOPIC: &str = \"orders.events\"; }";
        assert_eq!(in_chassis(source), [""; 0]);
        let elsewhere = Tree::from([("services/chassis/src/kafka/tests.rs", "struct Order;")]);
        assert_eq!(chassis(&elsewhere), [""; 0]);
    }
}
