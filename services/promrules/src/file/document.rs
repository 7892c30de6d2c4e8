//! The YAML of a rule file, before anything in it is checked.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};

/// Texts by name.
pub(super) type Texts = BTreeMap<String, String>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    groups: Option<Vec<GroupText>>,
}

/// A group.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GroupText {
    pub(super) name: String,
    pub(super) interval: Option<String>,
    pub(super) query_offset: Option<String>,
    pub(super) limit: usize,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: Texts,
    #[serde(deserialize_with = "or_default")]
    pub(super) rules: Vec<RuleText>,
}

/// A rule.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RuleText {
    pub(super) record: Option<String>,
    pub(super) alert: Option<String>,
    pub(super) expr: String,
    #[serde(rename = "for")]
    pub(super) hold: Option<String>,
    pub(super) keep_firing_for: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: Texts,
    #[serde(deserialize_with = "or_default")]
    pub(super) annotations: Texts,
}

/// A key without a value has the default.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The keys alone: serde reports only the first unknown key of a document.
#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    groups: Option<Vec<GroupKeys>>,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
struct GroupKeys {
    #[serde(default)]
    rules: Option<Vec<BTreeMap<String, IgnoredAny>>>,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

const OF_GROUP: [&str; 5] = ["name", "interval", "query_offset", "limit", "labels"];
const OF_RULE: [&str; 7] =
    ["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];

/// The groups of a file, and a sentence about each unknown key.
pub(super) fn read(text: &str) -> Result<(Vec<GroupText>, Vec<String>), String> {
    let keys: Option<Keys> = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let Some(keys) = keys else { return Ok((vec![], vec![])) };
    let document: Document = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    Ok((document.groups.unwrap_or_default(), unknown(&keys)))
}

fn unknown(keys: &Keys) -> Vec<String> {
    let mut unknown: Vec<_> =
        keys.others.keys().map(|key| format!("unknown key {key:?}")).collect();
    for (group, number) in keys.groups.iter().flatten().zip(1..) {
        let others = group.others.keys().filter(|key| !OF_GROUP.contains(&&***key));
        unknown.extend(others.map(|key| format!("group {number}: unknown key {key:?}")));
        for (rule, place) in group.rules.iter().flatten().zip(1..) {
            let others = rule.keys().filter(|key| !OF_RULE.contains(&&***key));
            let sentence = |key| format!("group {number}, rule {place}: unknown key {key:?}");
            unknown.extend(others.map(sentence));
        }
    }
    unknown
}
