//! The files of the console: embedded, or of a folder for who works on them.

mod kinds;

use std::{
    borrow::Cow,
    fs,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;
use kinds::kind_of;

/// A file of the console in the program.
pub(crate) struct Asset {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) gzip: &'static [u8],
}

/// Every file; `build.rs` makes the list.
const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A hash of all contents.
const HASH: &str = env!("CONSOLE_HASH");

/// The file that is served at `/`. Its references begin with `./`.
const INDEX: &str = "index.html";

/// Where the files of the console come from.
#[derive(Clone)]
pub(crate) enum Console {
    Embedded,
    /// A folder like `console/`, read at each request: whoever edits a file sees it at the next load of the page.
    Folder(PathBuf),
}

/// A file to be sent.
pub(crate) struct File {
    pub(crate) kind: &'static str,
    pub(crate) contents: Cow<'static, [u8]>,
    pub(crate) is_gzip: bool,
}

impl Console {
    /// The embedded console, or that of a folder if one is named.
    pub(crate) fn new(folder: &str) -> Self {
        if folder.is_empty() { Self::Embedded } else { Self::Folder(folder.into()) }
    }

    /// The part of the path of files that changes with their contents.
    pub(crate) fn version(&self) -> &'static str {
        match self {
            Self::Embedded => HASH,
            Self::Folder(_) => "folder",
        }
    }

    /// Whether a file stays the same as long as its path.
    pub(crate) fn is_immutable(&self) -> bool {
        matches!(self, Self::Embedded)
    }

    /// The page, which refers to the other files by their version.
    pub(crate) fn index(&self) -> io::Result<String> {
        let file = self.file(INDEX)?.map(File::unpacked).transpose()?.unwrap_or_default();
        let text = String::from_utf8_lossy(&file.contents).into_owned();
        Ok(text.replace("\"./", &format!("\"/assets/{}/", self.version())))
    }

    /// A file by its path below the console; `None` if there is none.
    pub(crate) fn file(&self, name: &str) -> io::Result<Option<File>> {
        let embedded = ASSETS.iter().find(|asset| asset.name == name);
        let asset = embedded.map(|Asset { kind, gzip, .. }| File {
            kind,
            contents: Cow::Borrowed(*gzip),
            is_gzip: true,
        });
        match self {
            // Dashboards are generated and lie elsewhere.
            Self::Folder(folder) if !name.starts_with("dashboards/") => read(folder, name),
            _ => Ok(asset),
        }
    }
}

impl Default for File {
    fn default() -> Self {
        Self { kind: "text/plain", contents: Cow::Borrowed(&[]), is_gzip: false }
    }
}

impl File {
    /// The file without compression, for clients that do not accept it.
    pub(crate) fn unpacked(self) -> io::Result<Self> {
        if !self.is_gzip {
            return Ok(self);
        }
        let mut contents = Vec::new();
        GzDecoder::new(&*self.contents).read_to_end(&mut contents)?;
        Ok(Self { contents: Cow::Owned(contents), is_gzip: false, ..self })
    }
}

fn read(folder: &Path, name: &str) -> io::Result<Option<File>> {
    let path = Path::new(name);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(None);
    }
    let Some(kind) = kind_of(path) else { return Ok(None) };
    match fs::read(folder.join(path)) {
        Ok(contents) => Ok(Some(File { kind, contents: contents.into(), is_gzip: false })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../console");

    #[test]
    fn a_folder_has_the_files_as_they_are_and_nothing_outside_of_it() {
        let console = Console::new(FOLDER);
        let script = console.file("app.js").unwrap().unwrap();
        assert_eq!(*script.contents, *fs::read(format!("{FOLDER}/app.js")).unwrap());
        assert!(console.index().unwrap().contains("\"/assets/folder/app.js\""));
        for name in ["../README.md", "lib/../app.js", "/app.js", "tsconfig.json", "nothing.js"] {
            assert!(console.file(name).unwrap().is_none(), "{name}");
        }
        assert!(console.file("dashboards/mesh-overview.json").unwrap().is_some());
        assert!(!console.is_immutable());
    }

    /// Docker sends only what its list names to the build of the image, and `build.rs` reads these two folders.
    #[test]
    fn the_image_is_built_with_the_console() {
        let list = include_str!("../../../deploy/Dockerfile.dockerignore");
        for folder in ["!console", "!grafana/dashboards"] {
            assert!(list.lines().any(|line| line == folder), "{folder}");
        }
    }

    #[test]
    fn an_embedded_module_has_its_lines_without_comments_of_their_own() {
        let file = Console::new("").file("app.js").unwrap().unwrap().unpacked().unwrap();
        let (sent, source) = (
            String::from_utf8(file.contents.into()).unwrap(),
            fs::read_to_string(format!("{FOLDER}/app.js")).unwrap(),
        );
        assert_eq!(sent.lines().count(), source.lines().count());
        assert!(sent.len() < source.len() && !sent.lines().any(|line| line.starts_with("//")));
    }
}
