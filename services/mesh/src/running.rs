//! `.mesh/mesh.json`: the addresses of this folder's mesh, for the commands that talk to it.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The folder with a mesh's state, relative to the current folder.
pub(crate) const FOLDER: &str = ".mesh";

/// The addresses of a mesh. The file is written when the mesh starts and removed when it stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// The supervisor's process.
    pub(crate) pid: u32,
    /// The lowest of its ports.
    pub(crate) port_base: u16,
    /// The address at which the supervisor reports its processes.
    pub(crate) control: String,
    /// The addresses of the gateways.
    pub(crate) gateway: Vec<String>,
    /// Every service's gRPC addresses.
    pub(crate) grpc: BTreeMap<String, Vec<String>>,
    /// The Kafka brokers.
    pub(crate) kafka: Kafka,
    /// The NATS server.
    pub(crate) nats: String,
}

/// How to reach Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kafka {
    /// `host:port`, with commas between.
    pub(crate) brokers: String,
    /// Whether the broker is embedded in the supervisor.
    pub(crate) embedded: bool,
}

impl Running {
    fn path(folder: &Path) -> PathBuf {
        folder.join("mesh.json")
    }

    /// Reads the file of a folder; `None` if no mesh runs here, or its supervisor was killed before it wrote the file.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(folder);
        match fs::read(&path) {
            Ok(text) => {
                let read = serde_json::from_slice(&text);
                Ok(Some(read.with_context(|| format!("{} is not ours", path.display()))?))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Reads the file of the current folder.
    pub(crate) fn here() -> anyhow::Result<Self> {
        Self::read(Path::new(FOLDER))?
            .context("no mesh runs in this folder; start one with `mesh up`")
    }

    /// Replaces the file atomically; only this user may read it, since a broker's address may contain a password.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let (path, fresh) = (Self::path(folder), folder.join("mesh.json.new"));
        let write = || -> std::io::Result<()> {
            let mut options = fs::OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            fs::rename(&fresh, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes the file: the mesh has stopped.
    pub(crate) fn remove(folder: &Path) {
        fs::remove_file(Self::path(folder)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Running::read(folder.path()).unwrap(), None);
        let running = Running {
            pid: 1,
            port_base: 8080,
            control: "http://127.0.0.1:8089".into(),
            gateway: vec!["http://127.0.0.1:8080".into()],
            grpc: BTreeMap::new(),
            kafka: Kafka { brokers: "127.0.0.1:1".into(), embedded: true },
            nats: "nats://127.0.0.1:8122".into(),
        };
        running.write(folder.path()).unwrap();
        assert_eq!(Running::read(folder.path()).unwrap(), Some(running));
        Running::remove(folder.path());
        assert_eq!(Running::read(folder.path()).unwrap(), None);
    }
}
