//! What is wrong with a configuration.

use std::fmt;

/// One error in the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The path of the setting.
    pub key: String,
    /// What is wrong, and what was expected.
    pub what: String,
    /// The source of the value.
    pub source: String,
}

/// All errors.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in the configuration",
            if self.0.len() == 1 { "a mistake" } else { "mistakes" }
        )?;
        for ConfigError { key, what, source } in &self.0 {
            write!(f, "\n  {key}: {what} (from {source})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
