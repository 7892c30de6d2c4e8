//! The series that a query selects, without evaluating it.

use std::convert::Infallible;

use promql_parser::{
    label::{MatchOp, Matcher, Matchers},
    parser::{Expr, VectorSelector},
    util::{ExprVisitor, walk_expr},
};

use crate::{METRIC_NAME, Query};

impl Query {
    /// The selectors in the query, in the order of its text.
    pub fn selectors(&self) -> Vec<Matchers> {
        let mut found = Found::default();
        let Ok(_) = walk_expr(&mut found, self.expression());
        found.0
    }

    /// The selector, if the query is one instant selector without `offset` and `@`, such as `up{job="orders"}`.
    pub fn as_selector(&self) -> Option<Matchers> {
        match self.expression() {
            Expr::VectorSelector(selector)
                if selector.offset.is_none() && selector.at.is_none() =>
            {
                Some(matchers(selector))
            }
            _ => None,
        }
    }
}

#[derive(Default)]
struct Found(Vec<Matchers>);

impl ExprVisitor for Found {
    type Error = Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Infallible> {
        match expression {
            Expr::VectorSelector(selector) => self.0.push(matchers(selector)),
            Expr::MatrixSelector(selector) => self.0.push(matchers(&selector.vs)),
            _ => {}
        }
        Ok(true)
    }
}

/// The conditions of a selector; the name before its braces is one of them.
fn matchers(selector: &VectorSelector) -> Matchers {
    let mut all = selector.matchers.clone();
    if let Some(name) = &selector.name {
        all.matchers.push(Matcher::new(MatchOp::Equal, METRIC_NAME, name));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(selectors: &[Matchers]) -> Vec<String> {
        let one = |matchers: &Matchers| {
            let all =
                matchers.matchers.iter().map(|one| format!("{}{}{}", one.name, one.op, one.value));
            all.collect::<Vec<_>>().join(" ")
        };
        selectors.iter().map(one).collect()
    }

    #[test]
    fn all_selectors_of_a_query_are_found() {
        let query = r#"sum by (a) (rate(b{c="d"}[5m])) / on (a) max_over_time(e[1h:5m]) unless {__name__=~"f|g"}"#;
        let query = Query::parse(query).unwrap();
        assert_eq!(shown(&query.selectors()), ["c=d __name__=b", "__name__=e", "__name__=~f|g"]);
        assert_eq!(query.as_selector(), None);
        assert!(Query::parse("1 + 1").unwrap().selectors().is_empty());
    }

    #[test]
    fn an_instant_selector_is_recognized() {
        let selector = |text: &str| Query::parse(text).unwrap().as_selector();
        assert_eq!(
            shown(&selector(r#"up{job!="x"}"#).into_iter().collect::<Vec<_>>()),
            ["job!=x __name__=up"]
        );
        for other in ["up[5m]", "up offset 5m", "up @ 0", "-up", "(up)"] {
            assert_eq!(selector(other), None, "{other}");
        }
    }
}
