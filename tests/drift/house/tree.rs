//! The files of the repository, or files made up by a test.

use std::{collections::BTreeMap, fs, io, path::Path};

/// Text files by their path from the root, with `/`.
pub(crate) struct Tree(BTreeMap<String, String>);

/// The extensions of files that are read; of the others (images, descriptors, snapshots) only the name counts.
const TEXT: [&str; 11] =
    ["css", "java", "js", "md", "mjs", "proto", "rs", "sh", "sql", "toml", "yaml"];

impl Tree {
    /// Every source file below `root`: without hidden files, build output and installed packages.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        walk(root, "", &mut files)?;
        Ok(Self(files))
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_output = name == "node_modules" || (prefix.is_empty() && name == "target");
        if name.starts_with('.') || is_output {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else {
            let is_text = name.rsplit_once('.').is_some_and(|(_, ending)| TEXT.contains(&ending));
            let text = if is_text { fs::read_to_string(entry.path())? } else { String::new() };
            files.insert(path, text);
        }
    }
    Ok(())
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Tree {
    fn from(files: [(&str, &str); N]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }
}

#[cfg(test)]
impl FromIterator<(String, String)> for Tree {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(files: I) -> Self {
        Self(files.into_iter().collect())
    }
}
