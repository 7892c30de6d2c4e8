//! Environment variables and command-line overrides as layers of the configuration.

use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::tree;
use crate::identity::Identity;

/// The prefix of this project's own variables.
const PREFIX: &str = "MESH_";
/// The separator between the parts of a nested setting.
const NESTS: &str = "__";

/// A layer of values that are given one by one.
pub(crate) struct Layer {
    name: &'static str,
    spell: fn(&[&str]) -> String,
    values: Dict,
}

impl Layer {
    /// A layer of environment variables; `spell` returns the name of the variable for the path of a setting.
    pub(crate) fn new(values: Dict, spell: fn(&[&str]) -> String) -> Self {
        Self { name: "environment variable", spell, values }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let spell = self.spell;
        Metadata::named(self.name).interpolater(move |_: &Profile, keys: &[&str]| spell(keys))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        // The global profile overrides every other profile, as the environment overrides the file.
        Ok(Profile::Global.collect(self.values.clone()))
    }
}

/// `MESH_A__B=c` is the setting `a.b`. `MESH_<SERVICE>__…` applies to that service alone, and has precedence.
pub(super) fn mesh(identity: Identity, variables: &[(String, String)], defaults: &Dict) -> Layer {
    let (mut values, mut own) = (Dict::new(), Dict::new());
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let mut path: Vec<_> = rest.to_lowercase().split(NESTS).map(str::to_owned).collect();
        // This variable names the file itself, not a setting in it.
        if path == ["config"] {
            continue;
        }
        let addressed =
            identity.services.iter().any(|service| path.len() > 1 && *service == path[0]);
        if addressed && path.remove(0) != identity.name {
            continue;
        }
        let target = if addressed { &mut own } else { &mut values };
        insert(target, &path, typed(value, tree::find(defaults, &path)));
    }
    overlay(&mut values, own);
    let spell = |keys: &[&str]| format!("{PREFIX}{}", keys.join(NESTS).to_uppercase());
    Layer { name: "environment variable", spell, values }
}

/// `--set a.b=c`.
pub(super) fn overrides(pairs: &[(String, String)], defaults: &Dict) -> Layer {
    let mut values = Dict::new();
    for (key, value) in pairs {
        let path: Vec<_> = key.split('.').map(str::to_owned).collect();
        insert(&mut values, &path, typed(value, tree::find(defaults, &path)));
    }
    Layer { name: "command line", spell: |keys| format!("--set {}", keys.join(".")), values }
}

/// Text stays text where the default is text: a password of digits is not a number.
fn typed(value: &str, default: Option<&Value>) -> Value {
    match default {
        Some(Value::String(..)) => value.into(),
        _ => value.parse().unwrap_or_else(|_| value.into()),
    }
}

/// Puts a value into a tree; `path` has the keys from the root.
pub(crate) fn insert(tree: &mut Dict, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            tree.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let slot = tree.entry(first.clone()).or_insert_with(|| Dict::new().into());
            if slot.as_dict().is_none() {
                *slot = Dict::new().into();
            }
            if let Value::Dict(_, inner) = slot {
                insert(inner, rest, value);
            }
        }
    }
}

fn overlay(below: &mut Dict, above: Dict) {
    for (name, value) in above {
        match (below.get_mut(&name), value) {
            (Some(Value::Dict(_, inner)), Value::Dict(_, more)) => overlay(inner, more),
            (_, value) => {
                below.insert(name, value);
            }
        }
    }
}
