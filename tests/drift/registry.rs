//! The lists of services in deployment files and scripts are those of the registry.
//!
//! Here a difference is repaired and reported; in CI (`CI` is set) it is only reported. The file of a list is written once, by
//! hand: a rule knows where the list is in it, and what it contains.

#[path = "registry/compose.rs"]
mod compose;
#[path = "registry/edit.rs"]
mod edit;
#[path = "registry/kubernetes.rs"]
mod kubernetes;
#[path = "registry/scripts.rs"]
mod scripts;

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use registry::{Port, Protocol, SERVICES, Service, Stage};

/// The files with lists, as they should be.
struct Files {
    root: PathBuf,
    texts: BTreeMap<String, String>,
}

impl Files {
    /// All lists of these services.
    fn of(services: &[Service]) -> io::Result<Self> {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let mut files = Self { root, texts: BTreeMap::new() };
        scripts::write(&mut files, services)?;
        compose::write(&mut files, services)?;
        kubernetes::write(&mut files, services)?;
        Ok(files)
    }

    /// Replaces the text of a file by what `rule` makes of it. A file that does not exist is empty.
    fn edit(&mut self, path: &str, rule: impl FnOnce(&str) -> String) -> io::Result<()> {
        let before = match self.texts.get(path) {
            Some(text) => text.clone(),
            None => self.found(path)?,
        };
        self.texts.insert(path.to_owned(), rule(&before));
        Ok(())
    }

    fn found(&self, path: &str) -> io::Result<String> {
        match fs::read_to_string(self.root.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read,
        }
    }

    /// The files that differ from what they should be.
    fn differing(&self) -> io::Result<Vec<&str>> {
        let mut all = Vec::new();
        for (path, text) in &self.texts {
            if self.found(path)? != *text {
                all.push(path.as_str());
            }
        }
        Ok(all)
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration, and CI is a convention of the outside"
)]
fn every_list_of_services_is_that_of_the_registry() -> io::Result<()> {
    let files = Files::of(SERVICES)?;
    let differing = files.differing()?;
    if std::env::var_os("CI").is_none() {
        for path in &differing {
            fs::write(files.root.join(path), &files.texts[*path])?;
        }
    }
    assert!(
        differing.is_empty(),
        "these files do not list the services of services/registry: {differing:#?}; \
         run `cargo test -p registry` here, which repairs them, and commit the result"
    );
    Ok(())
}

/// A service as somebody might add it, with everything that a row can have.
const INVOICES: Service = Service {
    name: "invoices",
    stage: Stage::Business,
    ports: &[
        Port { setting: "listen", protocol: Protocol::Grpc, offset: 26 },
        Port { setting: "admin.listen", protocol: Protocol::Admin, offset: 18 },
    ],
    calls: &["orders"],
    ledger: true,
    consumes: &["orders.events"],
    publishes: &["invoices.events"],
    live: true,
};

#[test]
fn a_new_row_reaches_every_list_and_its_removal_too() -> io::Result<()> {
    let mut more = SERVICES.to_vec();
    more.push(INVOICES);
    let mut with = Files::of(&more)?;
    for (path, text) in &with.texts {
        assert!(text.contains(INVOICES.name), "{path} does not list the new service");
        assert_ne!(*text, with.found(path)?, "{path}");
    }
    // The files with the new row, read again with the old rows, are what they were.
    scripts::write(&mut with, SERVICES)?;
    compose::write(&mut with, SERVICES)?;
    kubernetes::write(&mut with, SERVICES)?;
    with.texts.retain(|path, _| *path != "deploy/base/invoices.yaml");
    for (path, text) in &with.texts {
        // A block of its own may be changed by hand, and so is deleted by hand.
        let may_stay = path == "deploy/compose.yaml";
        assert!(may_stay || *text == with.found(path)?, "{path} still lists the service");
    }
    Ok(())
}
