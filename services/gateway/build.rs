//! Embeds the console: its files, and Grafana's dashboards, which it draws. Each is compressed once, here; from the console's own
//! modules, comments are left out first, a fifth of what would be sent.
//!
//! All of them are served below one path with a hash over all contents, so that a module finds the others by relative paths, and a
//! browser may keep each for ever.

#[path = "src/console/kinds.rs"]
mod kinds;

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use kinds::kind_of;
use sha2::{Digest, Sha256};

/// What the console has for its developers and for the README, and not for browsers.
const NOT_SERVED: [&str; 4] = ["tests", "types", "node_modules", "screenshot.png"];

fn main() -> io::Result<()> {
    // From the package's folder, in which Cargo starts this: a path from the time of its compilation may be that of another clone.
    let root = Path::new("../..");
    let mut files = Vec::new();
    let console = root.join("console");
    collect(&console, &console, &mut files)?;
    for entry in fs::read_dir(root.join("grafana/dashboards"))? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            files.push((format!("dashboards/{name}"), "application/json", path.clone()));
        }
    }
    files.sort();
    println!("cargo::rerun-if-changed=src/console/kinds.rs");
    println!("cargo::rerun-if-changed={}", root.join("grafana/dashboards").display());
    // Not the whole folder: its tests install packages there, which would embed everything anew.
    for entry in fs::read_dir(&console)? {
        let path = entry?.path();
        if !NOT_SERVED.iter().any(|name| path.ends_with(name)) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    write(&files)
}

fn collect(
    folder: &Path,
    top: &Path,
    files: &mut Vec<(String, &'static str, PathBuf)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if NOT_SERVED.contains(&name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, top, files)?;
        }
        if let (Some(kind), true) = (kind_of(&path), path.is_file()) {
            let relative = path.strip_prefix(top).unwrap_or(&path);
            files.push((relative.display().to_string(), kind, path.clone()));
        }
    }
    Ok(())
}

/// The module without indentation and without the comments that have lines of their own. Lines keep their numbers, so that an error
/// in a browser names the line of the source.
fn without_comments(module: &str) -> String {
    let mut kept = String::with_capacity(module.len());
    let mut is_inside = false;
    for line in module.lines() {
        let line = line.trim();
        let begins = !is_inside && line.starts_with("/*");
        let is_comment = is_inside || line.starts_with("//") || (begins && !continues_after(line));
        if begins || is_inside {
            is_inside = !line.contains("*/");
        }
        if !is_comment {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

/// Whether code follows the comment that a line begins with.
fn continues_after(line: &str) -> bool {
    line.split_once("*/").is_some_and(|(_, rest)| !rest.is_empty())
}

/// Writes the compressed files and a list of them, which the crate includes.
fn write(files: &[(String, &'static str, PathBuf)]) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "this is how cargo names the folder")]
    let out = std::env::var("OUT_DIR").map_err(io::Error::other)?;
    let (mut all, mut list) = (Sha256::new(), String::from("&[\n"));
    for (number, (name, kind, path)) in files.iter().enumerate() {
        let mut contents = fs::read(path)?;
        if name.ends_with(".js") && !name.starts_with("vendor/") {
            let text = String::from_utf8(contents).map_err(io::Error::other)?;
            contents = without_comments(&text).into_bytes();
        }
        all.update(name.as_bytes());
        all.update(&contents);
        let compressed = Path::new(&out).join(format!("asset-{number}.gz"));
        let mut encoder = GzEncoder::new(fs::File::create(&compressed)?, Compression::best());
        encoder.write_all(&contents)?;
        encoder.finish()?;
        let entry = format!(
            "Asset {{ name: {name:?}, kind: {kind:?}, gzip: include_bytes!({compressed:?}) }}"
        );
        writeln!(list, "    {entry},").map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&out).join("assets.rs"), list)?;
    let hash: String = all.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=CONSOLE_HASH={hash}");
    Ok(())
}
