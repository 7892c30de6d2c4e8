//! `mesh completions`: prints the script with which a shell completes our commands.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh completions bash > ~/.local/share/bash-completion/completions/mesh
  mesh completions zsh > ~/.zfunc/_mesh
  mesh completions fish > ~/.config/fish/completions/mesh.fish";

/// Print shell completions.
#[derive(Args)]
pub(crate) struct Options {
    /// The shell.
    shell: Shell,
}

/// Prints the script for `command`, the whole command line.
pub(crate) fn run(options: &Options, mut command: clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, "mesh", &mut script);
    output::raw(String::from_utf8(script)?.trim_end());
    Ok(ExitCode::SUCCESS)
}
