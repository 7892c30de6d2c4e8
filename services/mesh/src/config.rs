//! `mesh config`: the settings that a service would run with, and the source of each value.

use std::process::ExitCode;

use chassis::config::{Effective, Sources};
use clap::Args;

use crate::{output, service};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh config orders
  MESH_KAFKA__BROKERS=kafka:9092 mesh config orders | grep kafka
  mesh config payments --set provider_timeout=2s --json";

/// Exit status for a configuration with which the service cannot run, as in `sysexits.h`.
pub(crate) const EX_CONFIG: u8 = 78;

/// Print a service's effective configuration with the source of each value.
///
/// Secrets are masked. If the configuration has errors, all of them are printed, and the exit status is 78.
#[derive(Args)]
pub(crate) struct Options {
    /// The service.
    #[arg(value_parser = service::names())]
    service: String,
    /// Override a setting, as `kafka.brokers=kafka:9092`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = service::pair)]
    overrides: Vec<(String, String)>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let entry = service::find(&options.service)?;
    let effective = match (entry.effective)(&Sources::of_process(options.overrides.clone())) {
        Ok(effective) => effective,
        Err(mistakes) => {
            output::print_error(mistakes);
            return Ok(ExitCode::from(EX_CONFIG));
        }
    };
    if options.json {
        output::json(&effective)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = output::Table::new(&["setting", "value", "source"]);
    for Effective { key, value, source } in effective {
        let value = match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        table.row([key, value, source]);
    }
    output::line(table.text());
    Ok(ExitCode::SUCCESS)
}
