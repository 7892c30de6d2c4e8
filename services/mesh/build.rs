//! Names the commit that the program is built from: of `GLASSMESH_COMMIT`, as the image's build sets it, or of the repository.
//!
//! It reads git's files, because a build needs no git. Cargo runs it again for a new commit, and then compiles this crate alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The digits of a commit that are shown: no two commits of a repository of this size begin with the same.
const DIGITS: usize = 12;
const VARIABLE: &str = "GLASSMESH_COMMIT";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    #[expect(clippy::disallowed_methods, reason = "a build has no other settings")]
    let named = std::env::var(VARIABLE).unwrap_or_default();
    // From the package's folder, in which Cargo starts this: a path from the time of its compilation may be that of another clone.
    let root = Path::new("../..");
    let commit = match named.as_str() {
        "" => of_repository(&root.join(".git")).unwrap_or_else(|| "unknown".to_owned()),
        "unknown" => named,
        _ => shortened(&named).ok_or_else(|| {
            let expected = "expected the hash of a commit, with 7 digits or more, or \"unknown\"";
            io::Error::other(format!("{VARIABLE} is {named:?}; {expected}"))
        })?,
    };
    println!("cargo::rustc-env={VARIABLE}={commit}");
    Ok(())
}

/// The commit that is checked out.
fn of_repository(git: &Path) -> Option<String> {
    let (own, shared) = folders(git)?;
    // It grows with every commit, also with the first one after the branches were packed into one file.
    let log = own.join("logs/HEAD");
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let head = read(&own.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else { return shortened(&head) };
    let packed = || {
        let all = read(&shared.join("packed-refs"))?;
        let mut hashes =
            all.lines().filter_map(|line| line.strip_suffix(reference)?.strip_suffix(' '));
        hashes.next().map(str::to_owned)
    };
    shortened(&read(&shared.join(reference)).or_else(packed)?)
}

/// The folder of this working tree, and the one that all working trees of the repository share.
fn folders(git: &Path) -> Option<(PathBuf, PathBuf)> {
    if git.is_dir() {
        return Some((git.to_owned(), git.to_owned()));
    }
    let own = git.parent()?.join(read(git)?.strip_prefix("gitdir: ")?);
    let shared = own.join(read(&own.join("commondir"))?);
    Some((own, shared))
}

/// A file without its last line break; Cargo watches it.
fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text.trim_end().to_owned())
}

fn shortened(hash: &str) -> Option<String> {
    let is_hash = hash.len() >= 7 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hash.then(|| hash.chars().take(DIGITS).collect())
}
