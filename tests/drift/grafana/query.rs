//! Parses PromQL: a query may use only existing series and labels, and may match only sides with the same labels.
//!
//! The labels of each part of a query follow from the contract and from the operations of the query. `None` is a scalar.

use std::collections::BTreeSet;

use promql_parser::{
    label::{MatchOp, Matchers},
    parser::{
        AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality,
        VectorSelector, parse, token::T_LOR,
    },
};

use crate::contract::{Contract, TARGET};

type Labels = Option<BTreeSet<String>>;

/// The complaints about a query.
pub(crate) fn complaints(query: &str, contract: &Contract) -> Vec<String> {
    let mut reader = Reader { contract, complaints: Vec::new() };
    match parse(query) {
        Ok(query) => drop(reader.read(&query)),
        Err(error) => reader.complaints.push(format!("cannot be read: {error}")),
    }
    reader.complaints
}

struct Reader<'a> {
    contract: &'a Contract,
    complaints: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self, query: &Expr) -> Labels {
        match query {
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.call(call),
            Expr::Unary(unary) => self.read(&unary.expr),
            Expr::Paren(paren) => self.read(&paren.expr),
            Expr::Subquery(subquery) => self.read(&subquery.expr),
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(selector) => self.selector(&selector.vs),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => None,
        }
    }

    fn selector(&mut self, selector: &VectorSelector) -> Labels {
        // A selector without a name matches any series; all series have the labels of their target.
        let Some(name) = &selector.name else {
            for matcher in all(&selector.matchers).filter(|name| !TARGET.contains(&name.as_str())) {
                self.complaints.push(format!("not every series has a label {matcher}"));
            }
            let labels = TARGET.iter().chain(&["__name__"]).map(|label| (*label).to_owned());
            return Some(labels.collect());
        };
        let Some(labels) = self.contract.labels(name) else {
            self.complaints.push(format!("there is no series {name}"));
            return Some(BTreeSet::new());
        };
        for matcher in all(&selector.matchers) {
            if !labels.contains(matcher) {
                self.complaints.push(format!("{name} has no label {matcher}"));
            }
        }
        Some(labels.clone())
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Labels {
        let inner = self.read(&aggregate.expr).unwrap_or_default();
        let none = BTreeSet::new();
        // `topk` and `bottomk` select series and keep their labels.
        let chooses = ["topk", "bottomk"].contains(&aggregate.op.to_string().as_str());
        let (kept, named): (BTreeSet<String>, _) = match &aggregate.modifier {
            modifier if chooses => {
                let by = modifier.as_ref().map(|modifier| modifier.labels().labels.clone());
                (inner.clone(), by.unwrap_or_default())
            }
            None => (none, Vec::new()),
            Some(LabelModifier::Include(by)) => {
                (by.labels.iter().cloned().collect(), by.labels.clone())
            }
            Some(LabelModifier::Exclude(without)) => {
                let stays = |label: &&String| !without.labels.contains(label);
                (inner.iter().filter(stays).cloned().collect(), without.labels.clone())
            }
        };
        for label in named.iter().filter(|label| !inner.contains(*label)) {
            self.complaints.push(format!("nothing in {} has a label {label}", aggregate.expr));
        }
        Some(kept)
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Labels {
        let (left, right) = (self.read(&binary.lhs), self.read(&binary.rhs));
        let (Some(left), Some(right)) = (&left, &right) else { return left.or(right) };
        let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
        match matching {
            Some(LabelModifier::Include(on)) => {
                for label in &on.labels {
                    if !left.contains(label) || !right.contains(label) {
                        self.complaints.push(format!("only one side of {binary} has {label}"));
                    }
                }
            }
            Some(LabelModifier::Exclude(_)) => {}
            // `or` keeps both sides, whatever their labels.
            None if binary.op.id() == T_LOR => {}
            None if left != right => self.complaints.push(format!(
                "the sides of {binary} have other labels, {left:?} and {right:?}: nothing matches"
            )),
            None => {}
        }
        if binary.op.id() == T_LOR {
            return Some(left.union(right).cloned().collect());
        }
        let many = binary.modifier.as_ref().map(|modifier| &modifier.card);
        let given: &[String] = match many {
            Some(VectorMatchCardinality::ManyToOne(given)) => &given.labels,
            _ => &[],
        };
        for label in given.iter().filter(|label| !right.contains(*label)) {
            self.complaints.push(format!("the right side of {binary} has no {label} to give"));
        }
        Some(left.iter().chain(given).cloned().collect())
    }

    fn call(&mut self, call: &Call) -> Labels {
        let arguments = &call.args.args;
        let read: Vec<_> = arguments.iter().map(|argument| self.read(argument)).collect();
        let first = read.into_iter().flatten().next();
        match call.func.name {
            "vector" => Some(BTreeSet::new()),
            "absent" | "absent_over_time" => Some(equal(&arguments[0])),
            "label_replace" => {
                let mut labels = first.unwrap_or_default();
                let source = text(&arguments[3]);
                if !source.is_empty() && !labels.contains(&source) {
                    self.complaints.push(format!("nothing in {call} has a label {source}"));
                }
                labels.insert(text(&arguments[1]));
                Some(labels)
            }
            "histogram_quantile" => {
                let mut labels = first.unwrap_or_default();
                if !labels.remove("le") {
                    self.complaints.push(format!("{call} has no label le to compute it from"));
                }
                Some(labels)
            }
            "scalar" | "time" => None,
            _ => first,
        }
    }
}

fn all(matchers: &Matchers) -> impl Iterator<Item = &String> {
    let or = matchers.or_matchers.iter().flatten();
    matchers.matchers.iter().chain(or).map(|matcher| &matcher.name)
}

/// The labels of the result of `absent`: those that the selector compares with `=`.
fn equal(query: &Expr) -> BTreeSet<String> {
    let Expr::VectorSelector(selector) = query else { return BTreeSet::new() };
    let matchers = selector.matchers.matchers.iter();
    matchers.filter(|one| one.op == MatchOp::Equal).map(|one| one.name.clone()).collect()
}

fn text(argument: &Expr) -> String {
    if let Expr::StringLiteral(literal) = argument { literal.val.clone() } else { String::new() }
}

/// Counters that are queried without a rate: their value says only when the process started. Differences and ages of them are
/// fine.
pub(crate) fn bare_counters(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(query) = parse(query) {
        bare(&query, &mut found);
    }
    found
}

fn bare(query: &Expr, found: &mut Vec<String>) {
    match query {
        Expr::Aggregate(aggregate) => bare(&aggregate.expr, found),
        Expr::Binary(binary) => {
            bare(&binary.lhs, found);
            bare(&binary.rhs, found);
        }
        // A function over a range computes a rate, an increase or a number of changes of the counter.
        Expr::Call(call) => call.args.args.iter().for_each(|argument| bare(argument, found)),
        Expr::Unary(unary) => bare(&unary.expr, found),
        Expr::Paren(paren) => bare(&paren.expr, found),
        Expr::Subquery(subquery) => bare(&subquery.expr, found),
        Expr::VectorSelector(selector) => {
            let name = selector.name.as_deref().unwrap_or_default();
            if ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end))
                && name != "db_client_connection_count"
            {
                found.push(format!("{name} is a counter: ask for its rate"));
            }
        }
        Expr::MatrixSelector(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => {}
    }
}

#[test]
fn a_query_of_a_missing_series_or_label_is_found() {
    let contract = Contract::from(
        "orders\n  mesh_lag gauge topic\n  mesh_delay_seconds histogram topic\n  mesh_pending gauge\n",
    );
    for (query, complaint) in [
        ("mesh_lagg", "there is no series mesh_lagg"),
        ("mesh_delay_seconds", "there is no series mesh_delay_seconds"),
        ("mesh_lag{topik=\"a\"}", "mesh_lag has no label topik"),
        ("sum by (group) (mesh_lag)", "nothing in mesh_lag has a label group"),
        (
            "label_replace(mesh_lag, \"a\", \"$1\", \"b\", \"(.*)\")",
            "nothing in label_replace(mesh_lag, \"a\", \"$1\", \"b\", \"(.*)\") has a label b",
        ),
        (
            "mesh_lag and on (topic) mesh_pending",
            "only one side of mesh_lag and on (topic) mesh_pending has topic",
        ),
        ("count({topic=\"a\"})", "not every series has a label topic"),
        ("sum by (", "cannot be read: "),
        (
            "histogram_quantile(0.9, sum by (topic) (rate(mesh_delay_seconds_bucket[1m])))",
            "histogram_quantile(0.9, sum by (topic) (rate(mesh_delay_seconds_bucket[1m]))) has no label le",
        ),
        ("mesh_lag / mesh_pending", "the sides of mesh_lag / mesh_pending have other labels"),
    ] {
        let found = complaints(query, &contract);
        assert!(found.len() == 1 && found[0].starts_with(complaint), "{query}: {found:?}");
    }
    let fine = "sum by (topic) (mesh_lag) / sum by (topic) (rate(mesh_delay_seconds_count[1m])) > 0 or vector(0)";
    assert_eq!(complaints(fine, &contract), [""; 0]);
}
