//! Configuration: defaults < `mesh.toml` < environment < command line, every value with its source, every mistake at once.
//!
//! The settings of the service and of the chassis are in one tree; a key that the defaults do not contain is a mistake.
//!
//! | layer | example |
//! |---|---|
//! | defaults | the `Default` of [`Settings`] and of the service's own type |
//! | `mesh.toml` | `[default]` for all services, `[<service>]` for one |
//! | environment | `MESH_KAFKA__BROKERS` for all, `MESH_<SERVICE>__LISTEN` for one; `OTEL_*` as the specification says |
//! | command line | `--set kafka.brokers=…` |
//!
//! A text setting `x` may also be given as `x_file`: the path of a file with the value, since Kubernetes mounts secrets as
//! files.

mod environment;
mod opentelemetry;
mod secret;
mod settings;
mod tree;

use std::{fmt, path::PathBuf};

use figment::{
    Figment, Profile,
    providers::{Format, Serialized, Toml},
    value::{Dict, Value},
};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use secret::percent_decoded;
pub use secret::{Secret, SecretUrl};
pub use settings::{Admin, Drain, Log, LogFormat, Runtime, Settings};

/// The settings of one service beside the chassis' own.
pub trait Config: Default + Serialize + DeserializeOwned + Send + 'static {}

impl<T: Default + Serialize + DeserializeOwned + Send + 'static> Config for T {}

/// The service whose configuration is read.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The service's name: its profile in `mesh.toml`, and `service.name` in all telemetry.
    pub name: &'static str,
    /// The service's version.
    pub version: &'static str,
    /// The names of all services: each may have a profile in the same file and environment.
    pub services: &'static [&'static str],
}

/// The sources of configuration besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The path of the file; the file need not exist.
    pub file: PathBuf,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// The `key=value` pairs of the command line.
    pub overrides: Vec<(String, String)>,
}

impl Sources {
    /// The sources of this process: `mesh.toml` in the current folder (or the file that `MESH_CONFIG` names), the environment,
    /// and these overrides.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process(overrides: Vec<(String, String)>) -> Self {
        let file =
            std::env::var_os("MESH_CONFIG").map_or_else(|| "mesh.toml".into(), PathBuf::from);
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, environment, overrides }
    }
}

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

/// A configuration without mistakes.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The chassis' settings.
    pub settings: Settings,
    /// The service's own settings.
    pub service: C,
    /// All settings, with their sources.
    pub effective: Vec<Effective>,
}

/// One mistake in the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The path of the setting.
    pub key: String,
    /// What is wrong, and what was expected.
    pub what: String,
    /// The source of the value.
    pub source: String,
}

/// All mistakes.
#[derive(Debug)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in the configuration",
            if self.0.len() == 1 { "a mistake" } else { "mistakes" }
        )?;
        for Mistake { key, what, source } in &self.0 {
            write!(f, "\n  {key}: {what} (from {source})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Reads the configuration of a service.
///
/// # Errors
/// All mistakes: unknown keys, values of the wrong type or form, files that cannot be read.
pub fn load<C: Config>(identity: Identity, sources: &Sources) -> Result<Loaded<C>, Mistakes> {
    let mut mistakes = Vec::new();
    let defaults = defaults::<C>();
    let figment = layers(identity, sources, &defaults, &mut mistakes);
    let mut merged = match figment.extract::<Dict>() {
        Ok(merged) => merged,
        Err(errors) => {
            return Err(Mistakes(
                errors.into_iter().map(|error| from_figment(&error, &figment)).collect(),
            ));
        }
    };
    tree::read_files(&mut merged, &defaults, &figment, &mut mistakes);
    tree::remove_unknown(&mut merged, &defaults, &figment, &mut mistakes);
    let settings = extract::<Settings>(&mut merged, &defaults, &figment, &mut mistakes);
    let service = extract::<C>(&mut merged, &defaults, &figment, &mut mistakes);
    for (key, what) in settings.iter().flat_map(Settings::check) {
        mistakes.push(Mistake { source: tree::source(&figment, &key), key, what });
    }
    match (settings, service) {
        (Some(settings), Some(service)) if mistakes.is_empty() => {
            let effective = tree::effective(&merged, &shown(&settings, &service), &figment);
            Ok(Loaded { settings, service, effective })
        }
        _ => Err(Mistakes(mistakes)),
    }
}

fn defaults<C: Config>() -> Dict {
    shown(&Settings::default(), &C::default())
}

/// The settings as their types serialize them: with secrets hidden.
fn shown<C: Config>(settings: &Settings, service: &C) -> Dict {
    let both = Figment::from(Serialized::defaults(settings)).merge(Serialized::defaults(service));
    both.extract().expect("settings are written in our own types, and so can be read")
}

fn layers(
    identity: Identity,
    sources: &Sources,
    defaults: &Dict,
    mistakes: &mut Vec<Mistake>,
) -> Figment {
    let mut figment =
        Figment::from(Serialized::defaults(defaults)).select(Profile::new(identity.name));
    if sources.file.exists() {
        let file = Toml::file_exact(&sources.file).nested();
        figment = figment.merge(file);
        let known = |profile: &Profile| {
            *profile == Profile::Default
                || *profile == Profile::Global
                || identity.services.iter().any(|name| profile == name)
        };
        let unknown: Vec<_> =
            figment.profiles().filter(|profile| !known(profile)).map(ToString::to_string).collect();
        mistakes.extend(unknown.into_iter().map(|profile| Mistake {
            what: format!(
                "no such profile; expected one of default, {}",
                identity.services.join(", ")
            ),
            source: sources.file.display().to_string(),
            key: format!("[{profile}]"),
        }));
    }
    figment
        .merge(opentelemetry::layer(&sources.environment, mistakes))
        .merge(environment::mesh(identity, &sources.environment, defaults))
        .merge(environment::overrides(&sources.overrides, defaults))
}

/// Reads `T` from the tree. A value that cannot be read is reported as a mistake and replaced by its default, and reading
/// continues.
fn extract<T: DeserializeOwned>(
    merged: &mut Dict,
    defaults: &Dict,
    figment: &Figment,
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    // Each round replaces one setting, so the number of settings is a bound; a fixed bound is simpler and as safe.
    for _ in 0..100 {
        let error = match Value::from(merged.clone()).deserialize::<T>() {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let mistake = from_figment(&error, figment);
        mistakes.push(mistake);
        let default = tree::find(defaults, &error.path)?.clone();
        if !tree::set(merged, &error.path, default) {
            return None;
        }
    }
    None
}

fn from_figment(error: &figment::Error, figment: &Figment) -> Mistake {
    let key = error.path.join(".");
    // The error text contains the value, which may be a secret of the wrong form.
    let what = match error.path.last() {
        Some(name) if secret::is_secret(name) => "has the wrong form".into(),
        _ => secret::masked(&error.kind.to_string()),
    };
    Mistake {
        source: tree::source(figment, &key),
        key: if key.is_empty() { "(file)".into() } else { key },
        what,
    }
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
