//! Subjects: tokens separated by dots; in a subscription, `*` matches one token and a last `>` matches one or more.

use std::{collections::HashMap, str::Split};

/// Whether a subscription may have this subject.
pub(super) fn is_valid(subject: &str) -> bool {
    let last = subject.split('.').count() - 1;
    subject
        .split('.')
        .enumerate()
        .all(|(index, token)| !token.is_empty() && (token != ">" || index == last))
}

/// Subscriptions by subject: a tree with one level for each token. Wildcards are stored like ordinary tokens.
pub(super) struct Tree<S> {
    next: HashMap<Box<str>, Self>,
    here: Vec<S>,
}

impl<S> Default for Tree<S> {
    fn default() -> Self {
        Self { next: HashMap::new(), here: Vec::new() }
    }
}

impl<S> Tree<S> {
    pub(super) fn insert(&mut self, subject: &str, subscription: S) {
        let node =
            subject.split('.').fold(self, |node, token| node.next.entry(token.into()).or_default());
        node.here.push(subscription);
    }

    /// Removes the subscription for which `is_it` is true, and the branches that are empty then.
    pub(super) fn remove(&mut self, subject: &str, is_it: impl Fn(&S) -> bool) {
        self.prune(&mut subject.split('.'), &is_it);
    }

    fn prune(&mut self, tokens: &mut Split<'_, char>, is_it: &impl Fn(&S) -> bool) {
        let Some(token) = tokens.next() else {
            return self.here.retain(|subscription| !is_it(subscription));
        };
        let Some(node) = self.next.get_mut(token) else { return };
        node.prune(tokens, is_it);
        if node.here.is_empty() && node.next.is_empty() {
            self.next.remove(token);
        }
    }

    /// All subscriptions that match this subject.
    pub(super) fn find(&self, subject: &str) -> Vec<&S> {
        let tokens: Vec<&str> = subject.split('.').collect();
        let mut found = Vec::new();
        self.collect(&tokens, &mut found);
        found
    }

    fn collect<'a>(&'a self, tokens: &[&str], found: &mut Vec<&'a S>) {
        let Some((token, rest)) = tokens.split_first() else { return found.extend(&self.here) };
        // A publisher may send a wildcard as a token; it then has no special meaning, and must not be found twice.
        if !matches!(*token, "*" | ">")
            && let Some(node) = self.next.get(*token)
        {
            node.collect(rest, found);
        }
        if let Some(node) = self.next.get("*") {
            node.collect(rest, found);
        }
        if let Some(node) = self.next.get(">") {
            found.extend(&node.here);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(subjects: &[&'static str]) -> Tree<&'static str> {
        let mut tree = Tree::default();
        for subject in subjects {
            tree.insert(subject, *subject);
        }
        tree
    }

    #[test]
    fn a_star_is_one_token_and_a_greater_sign_the_rest() {
        let tree = tree(&["live.*.7", "live.>", "live.ada", ">", "live.ada.7"]);
        let found = |subject| {
            let mut found: Vec<&str> = tree.find(subject).into_iter().copied().collect();
            found.sort_unstable();
            found
        };
        assert_eq!(found("live.ada.7"), [">", "live.*.7", "live.>", "live.ada.7"]);
        assert_eq!(found("live.ada"), [">", "live.>", "live.ada"]);
        assert_eq!(found("live"), [">"]);
        assert_eq!(found("live.ada.7.x"), [">", "live.>"]);
    }

    #[test]
    fn a_published_wildcard_is_found_once() {
        let tree = tree(&["live.*", "live.>"]);
        assert_eq!(tree.find("live.*"), [&"live.*", &"live.>"]);
        assert_eq!(tree.find("live.>"), [&"live.*", &"live.>"]);
    }

    #[test]
    fn an_empty_branch_is_pruned() {
        let mut tree = tree(&["a.b.c", "a.b"]);
        tree.remove("a.b.c", |subscription| *subscription == "a.b.c");
        assert_eq!(tree.find("a.b.c"), Vec::<&&str>::new());
        assert_eq!(tree.find("a.b"), [&"a.b"]);
        tree.remove("a.b", |_| true);
        assert!(tree.next.is_empty());
    }

    #[test]
    fn a_subscription_needs_whole_tokens() {
        for good in ["a", "a.b", "*", ">", "a.*.c", "a.>", "a*"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", ">.a", "a.>.b"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
