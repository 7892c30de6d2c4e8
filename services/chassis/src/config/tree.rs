//! Walks over the merged settings: files, unknown keys, sources, secrets.

use std::path::Path;

use figment::{
    Figment, Profile,
    value::{Dict, Value},
};

use serde::Serialize;

use super::{error::ConfigError, secret};

const FILE_SUFFIX: &str = "_file";

/// A setting with its effective value.
#[derive(Clone, Debug, Serialize)]
pub struct Effective {
    /// The path, its parts separated by dots.
    pub key: String,
    /// The value; masked if it is a secret.
    pub value: serde_json::Value,
    /// The source of the value.
    pub source: String,
}

pub(super) fn find<'a>(tree: &'a Dict, path: &[String]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let mut dict = tree;
    for part in parents {
        dict = dict.get(part)?.as_dict()?;
    }
    dict.get(last)
}

/// Replaces the value at a path; `false` if there is none at the path.
pub(super) fn set(tree: &mut Dict, path: &[String], value: Value) -> bool {
    match path {
        [] => false,
        [last] => tree.insert(last.clone(), value).is_some(),
        [first, rest @ ..] => match tree.get_mut(first) {
            Some(Value::Dict(_, inner)) => set(inner, rest, value),
            _ => false,
        },
    }
}

/// The source of a value, as a text for people.
pub(super) fn source(figment: &Figment, key: &str) -> String {
    let Some(metadata) = figment.find_metadata(key) else { return "unknown".into() };
    if metadata.name == "environment variable" || metadata.name == "command line" {
        let keys: Vec<_> = key.split('.').collect();
        return format!("{} {}", metadata.name, metadata.interpolate(&Profile::Global, &keys));
    }
    match metadata.source.as_ref().and_then(figment::Source::file_path) {
        Some(path) => path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into()),
        None => "default".into(),
    }
}

/// Replaces every `x_file` by `x` with the content of the file, if `x` is a setting and `x_file` is not one itself.
pub(super) fn read_files(
    tree: &mut Dict,
    defaults: &Dict,
    figment: &Figment,
    errors: &mut Vec<ConfigError>,
) {
    walk_files(tree, defaults, "", &mut |key, path| match std::fs::read_to_string(path) {
        Ok(content) => Some(content.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => {
            let what = format!("cannot read {}: {error}", path.display());
            errors.push(ConfigError { key: key.to_owned(), what, source: source(figment, key) });
            None
        }
    });
}

fn walk_files(
    tree: &mut Dict,
    defaults: &Dict,
    above: &str,
    read: &mut impl FnMut(&str, &Path) -> Option<String>,
) {
    let mut found = Vec::new();
    for (name, value) in tree.iter_mut() {
        let key = joined(above, name);
        if let (Value::Dict(_, inner), Some(Value::Dict(_, expected))) =
            (&mut *value, defaults.get(name))
        {
            walk_files(inner, expected, &key, read);
            continue;
        }
        let Some(stem) = name.strip_suffix(FILE_SUFFIX) else { continue };
        if defaults.contains_key(name) || !defaults.contains_key(stem) {
            continue;
        }
        let content = value.as_str().and_then(|path| read(&key, Path::new(path)));
        found.push((name.clone(), stem.to_owned(), content));
    }
    for (name, stem, content) in found {
        tree.remove(&name);
        if let Some(content) = content {
            tree.insert(stem, content.into());
        }
    }
}

/// Removes the keys that the defaults do not contain, and reports each as an error. A dictionary that is empty by default
/// accepts any key.
pub(super) fn remove_unknown(
    tree: &mut Dict,
    defaults: &Dict,
    figment: &Figment,
    errors: &mut Vec<ConfigError>,
) {
    let mut unknown = Vec::new();
    walk_unknown(tree, defaults, "", &mut unknown);
    for (key, siblings) in unknown {
        let what = match nearest(&key, &siblings) {
            Some(near) => format!("no such setting; did you mean {near}?"),
            None => format!("no such setting; expected one of {}", siblings.join(", ")),
        };
        errors.push(ConfigError { source: source(figment, &key), key, what });
    }
}

fn walk_unknown(
    tree: &mut Dict,
    defaults: &Dict,
    above: &str,
    unknown: &mut Vec<(String, Vec<String>)>,
) {
    if defaults.is_empty() && !above.is_empty() {
        return;
    }
    let names: Vec<_> = tree.keys().cloned().collect();
    for name in names {
        let key = joined(above, &name);
        match (defaults.get(&name), tree.get_mut(&name)) {
            (Some(Value::Dict(_, expected)), Some(Value::Dict(_, inner))) => {
                walk_unknown(inner, expected, &key, unknown);
            }
            (None, _) => {
                tree.remove(&name);
                unknown.push((key, defaults.keys().cloned().collect()));
            }
            _ => {}
        }
    }
}

/// How alike a setting must be to one that does not exist, to be suggested: 1 is equal.
const ALIKE: f64 = 0.85;

/// Returns the setting that was probably meant: the most similar one.
fn nearest<'a>(key: &str, siblings: &'a [String]) -> Option<&'a String> {
    let wrong = key.rsplit('.').next().unwrap_or(key);
    let alike = siblings.iter().map(|name| (strsim::jaro_winkler(wrong, name), name));
    let (_, name) =
        alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(name)
}

/// Every leaf with its source. `typed` shows the values whose type is a secret as `***`; settings with the name of a secret,
/// and credentials in URLs, are hidden as well, whatever their type.
pub(super) fn effective(tree: &Dict, typed: &Dict, figment: &Figment) -> Vec<Effective> {
    let mut all = Vec::new();
    walk_leaves(tree, "", &mut |key, value| {
        let path: Vec<_> = key.split('.').map(str::to_owned).collect();
        let named = path.last().is_some_and(|name| secret::is_secret(name));
        let value = match value.as_str() {
            Some(text) if !text.is_empty() && named => "***".into(),
            Some(text) => {
                let shown = find(typed, &path).and_then(Value::as_str).unwrap_or(text);
                secret::masked(shown).into()
            }
            None if named && !matches!(value, Value::Bool(..)) => "***".into(),
            None => serde_json::to_value(value).unwrap_or_default(),
        };
        let with_file = format!("{key}{FILE_SUFFIX}");
        let from = if figment.contains(&with_file) {
            source(figment, &with_file)
        } else {
            source(figment, key)
        };
        all.push(Effective { key: key.to_owned(), value, source: from });
    });
    all
}

fn walk_leaves(tree: &Dict, above: &str, visit: &mut impl FnMut(&str, &Value)) {
    for (name, value) in tree {
        let key = joined(above, name);
        match value {
            Value::Dict(_, inner) => walk_leaves(inner, &key, visit),
            _ => visit(&key, value),
        }
    }
}

fn joined(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") }
}
