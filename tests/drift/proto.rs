//! The generated code matches `proto/mesh/**/*.proto`.
//!
//! Here a difference is repaired and reported; in CI (`CI` is set) it is only reported.

#![expect(clippy::unwrap_used, reason = "a test that cannot read or write files has failed")]

use std::{fs, io, path::Path, path::PathBuf};

/// Every `.proto` file, found by walking the folder, so that none can be forgotten.
fn contracts(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            contracts(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

/// Generates everything into `out`, the way `src/gen` was generated.
fn generate(root: &Path, out: &Path) {
    let mut files = Vec::new();
    contracts(&root.join("mesh"), &mut files).unwrap();
    let mut compiler = protox::Compiler::new([root]).unwrap();
    compiler.include_source_info(true).include_imports(true).open_files(files).unwrap();
    tonic_prost_build::configure()
        .out_dir(out)
        .codec_path("crate::codec::Checked")
        .compile_fds(compiler.file_descriptor_set())
        .unwrap();
    compiler.include_source_info(false);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set()).unwrap();
}

fn listing(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration, and CI is a convention of the outside"
)]
fn generated_code_is_what_the_contracts_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (fresh, kept) = (tempfile::tempdir().unwrap(), root.join("src/gen"));
    generate(root, fresh.path());
    let mut drifted = Vec::new();
    for name in listing(&kept) {
        if !fresh.path().join(&name).exists() {
            drifted.push(format!("{name} (no contract makes it)"));
        }
    }
    for name in listing(fresh.path()) {
        let wanted = fs::read(fresh.path().join(&name)).unwrap();
        if fs::read(kept.join(&name)).is_ok_and(|found| found == wanted) {
            continue;
        }
        if std::env::var_os("CI").is_none() {
            fs::write(kept.join(&name), wanted).unwrap();
        }
        drifted.push(name);
    }
    assert!(
        drifted.is_empty(),
        "proto/src/gen was not what the contracts say: {drifted:?}; \
         run `cargo test -p proto` here, which repairs it, and commit the result"
    );
}
