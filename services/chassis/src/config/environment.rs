//! Environment variables and command-line overrides as layers of the configuration.

use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::{Identity, Mistake, tree};

/// Prefix of the mesh's own variables.
const PREFIX: &str = "MESH_";
/// What stands between the parts of a nested setting.
const NESTS: &str = "__";

/// A layer whose values are known one by one.
pub(super) struct Layer {
    name: &'static str,
    spell: fn(&[&str]) -> String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let spell = self.spell;
        Metadata::named(self.name).interpolater(move |_: &Profile, keys: &[&str]| spell(keys))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        // The global profile stands above every other, as the environment stands above the file.
        Ok(Profile::Global.collect(self.values.clone()))
    }
}

/// `MESH_A__B=c` is the setting `a.b`; `MESH_<SERVICE>__…` is for that service alone, and wins.
pub(super) fn mesh(identity: Identity, variables: &[(String, String)], defaults: &Dict) -> Layer {
    let (mut values, mut own) = (Dict::new(), Dict::new());
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let mut path: Vec<_> = rest.to_lowercase().split(NESTS).map(str::to_owned).collect();
        // Names the file itself, not a setting in it.
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

/// The variables of the OpenTelemetry specification that we honour, and the settings they stand for.
/// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>
const OPENTELEMETRY: [(&str, &str); 5] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "headers"),
    ("OTEL_RESOURCE_ATTRIBUTES", "resource_attributes"),
    ("OTEL_SDK_DISABLED", "disabled"),
    ("OTEL_TRACES_SAMPLER_ARG", "sample_ratio"),
];

pub(super) fn opentelemetry(variables: &[(String, String)], mistakes: &mut Vec<Mistake>) -> Layer {
    let mut values = Dict::new();
    let find = |name: &str| {
        variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    let setting = |name: &str| vec!["telemetry".to_owned(), name.to_owned()];
    for (variable, name) in OPENTELEMETRY {
        if let Some(value) = find(variable).filter(|value| !value.is_empty()) {
            let text = matches!(name, "endpoint" | "headers" | "resource_attributes");
            insert(
                &mut values,
                &setting(name),
                typed(value, text.then(|| Value::from("")).as_ref()),
            );
        }
    }
    if let Some(milliseconds) = find("OTEL_EXPORTER_OTLP_TIMEOUT") {
        insert(&mut values, &setting("timeout"), format!("{milliseconds}ms").into());
    }
    match find("OTEL_TRACES_SAMPLER") {
        None | Some("" | "traceidratio" | "parentbased_traceidratio") => {}
        Some("always_on" | "parentbased_always_on") => insert(&mut values, &setting("sample_ratio"), 1.0.into()),
        Some("always_off" | "parentbased_always_off") => insert(&mut values, &setting("sample_ratio"), 0.0.into()),
        Some(other) => mistakes.push(Mistake {
            key: "telemetry.sample_ratio".into(),
            what: format!("no sampler {other:?} here; expected always_on, always_off, traceidratio, or parentbased_ of these"),
            source: "environment variable OTEL_TRACES_SAMPLER".into(),
        }),
    }
    let spell = |keys: &[&str]| match keys.last() {
        Some(&"timeout") => "OTEL_EXPORTER_OTLP_TIMEOUT".into(),
        Some(last) => OPENTELEMETRY
            .iter()
            .find(|(_, name)| name == last)
            .map_or_else(|| "OTEL_*".into(), |(name, _)| (*name).into()),
        None => "OTEL_*".into(),
    };
    Layer { name: "environment variable", spell, values }
}

/// Text stays text where text is expected: a password of digits is not a number.
fn typed(value: &str, default: Option<&Value>) -> Value {
    match default {
        Some(Value::String(..)) => value.into(),
        _ => value.parse().unwrap_or_else(|_| value.into()),
    }
}

fn insert(tree: &mut Dict, path: &[String], value: Value) {
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
