//! Configuration: defaults < `mesh.toml` < environment < command line, every value with its source, all errors at once.
//!
//! The settings of a service and those that all services have are in one tree; a key that the defaults do not contain is an
//! error. This module knows none of the settings: their types are given to [`load`].
//!
//! | layer | example |
//! |---|---|
//! | defaults | the `Default` of both types |
//! | `mesh.toml` | `[default]` for all services, `[<service>]` for one |
//! | environment | `MESH_KAFKA__BROKERS` for all, `MESH_<SERVICE>__LISTEN` for one; `OTEL_*` as the specification says |
//! | command line | `--set kafka.brokers=…` |
//!
//! A text setting `x` may also be given as `x_file`: the path of a file with the value, since Kubernetes mounts secrets as
//! files.

mod environment;
mod error;
mod secret;
mod tree;

use std::path::PathBuf;

use figment::{
    Figment, Profile,
    providers::{Format, Serialized, Toml},
    value::{Dict, Value},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::identity::Identity;

pub(crate) use environment::{Layer, insert};
pub use error::{ConfigError, ConfigErrors};
pub(crate) use secret::percent_decoded;
pub use secret::{Secret, SecretUrl};
pub use tree::Effective;

/// The settings of one service, beside those that all services have.
pub trait Config: Default + Serialize + DeserializeOwned + Send + 'static {}

impl<T: Default + Serialize + DeserializeOwned + Send + 'static> Config for T {}

/// The settings that all services have.
pub(crate) trait Shared: Config {
    /// Reads the environment variables whose names other specifications define, such as `OTEL_*`.
    fn standard_variables(variables: &[(String, String)], errors: &mut Vec<ConfigError>) -> Layer;

    /// Checks values that are well-formed, but cannot be used. Returns each wrong setting, and what was expected.
    fn check(&self) -> Vec<(String, String)>;
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

/// A configuration without errors.
#[derive(Debug)]
pub struct Loaded<S, C> {
    /// The settings that all services have.
    pub settings: S,
    /// The service's own settings.
    pub service: C,
    /// All settings, with their sources.
    pub effective: Vec<Effective>,
}

/// Reads the configuration of a service.
///
/// # Errors
/// All errors: unknown keys, values of the wrong type or form, files that cannot be read.
pub(crate) fn load<S: Shared, C: Config>(
    identity: Identity,
    sources: &Sources,
) -> Result<Loaded<S, C>, ConfigErrors> {
    let mut errors = Vec::new();
    let defaults = defaults::<S, C>();
    let figment = layers::<S>(identity, sources, &defaults, &mut errors);
    let mut merged = match figment.extract::<Dict>() {
        Ok(merged) => merged,
        Err(errors) => {
            return Err(ConfigErrors(
                errors.into_iter().map(|error| from_figment(&error, &figment)).collect(),
            ));
        }
    };
    tree::read_files(&mut merged, &defaults, &figment, &mut errors);
    tree::remove_unknown(&mut merged, &defaults, &figment, &mut errors);
    let settings = extract::<S>(&mut merged, &defaults, &figment, &mut errors);
    let service = extract::<C>(&mut merged, &defaults, &figment, &mut errors);
    for (key, what) in settings.iter().flat_map(S::check) {
        errors.push(ConfigError { source: tree::source(&figment, &key), key, what });
    }
    match (settings, service) {
        (Some(settings), Some(service)) if errors.is_empty() => {
            let effective = tree::effective(&merged, &shown(&settings, &service), &figment);
            Ok(Loaded { settings, service, effective })
        }
        _ => Err(ConfigErrors(errors)),
    }
}

fn defaults<S: Shared, C: Config>() -> Dict {
    shown(&S::default(), &C::default())
}

/// The settings as their types serialize them: with secrets hidden.
fn shown<S: Shared, C: Config>(settings: &S, service: &C) -> Dict {
    let both = Figment::from(Serialized::defaults(settings)).merge(Serialized::defaults(service));
    both.extract().expect("settings are written in our own types, and so can be read")
}

fn layers<S: Shared>(
    identity: Identity,
    sources: &Sources,
    defaults: &Dict,
    errors: &mut Vec<ConfigError>,
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
        errors.extend(unknown.into_iter().map(|profile| ConfigError {
            what: format!(
                "no such profile; expected one of default, {}",
                identity.services.join(", ")
            ),
            source: sources.file.display().to_string(),
            key: format!("[{profile}]"),
        }));
    }
    figment
        .merge(S::standard_variables(&sources.environment, errors))
        .merge(environment::mesh(identity, &sources.environment, defaults))
        .merge(environment::overrides(&sources.overrides, defaults))
}

/// Reads `T` from the tree. A value that cannot be read is reported as an error and replaced by its default, and reading
/// continues.
fn extract<T: DeserializeOwned>(
    merged: &mut Dict,
    defaults: &Dict,
    figment: &Figment,
    errors: &mut Vec<ConfigError>,
) -> Option<T> {
    // Each round replaces one setting, so the number of settings is a bound; a fixed bound is simpler and as safe.
    for _ in 0..100 {
        let error = match Value::from(merged.clone()).deserialize::<T>() {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let mistake = from_figment(&error, figment);
        errors.push(mistake);
        let default = tree::find(defaults, &error.path)?.clone();
        if !tree::set(merged, &error.path, default) {
            return None;
        }
    }
    None
}

fn from_figment(error: &figment::Error, figment: &Figment) -> ConfigError {
    let key = error.path.join(".");
    // The error text contains the value, which may be a secret of the wrong form.
    let what = match error.path.last() {
        Some(name) if secret::is_secret(name) => "has the wrong form".into(),
        _ => secret::masked(&error.kind.to_string()),
    };
    ConfigError {
        source: tree::source(figment, &key),
        key: if key.is_empty() { "(file)".into() } else { key },
        what,
    }
}
