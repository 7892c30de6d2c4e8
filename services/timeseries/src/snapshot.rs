//! A store as bytes: the head, a table of texts, the targets with their series and blocks, the exemplars, and a checksum.

mod reader;
mod writer;

use promql::Labels;

pub(crate) use self::{reader::read, writer::write};
use crate::{block::Block, exemplars::Exemplar, target::Key};

/// The first bytes, with the version of the format.
const HEAD: &[u8] = b"timeseries 1\n";

/// Why a snapshot cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot cannot be restored: {0}")]
pub struct SnapshotError(pub String);

/// What a snapshot has.
pub(crate) struct Snapshot {
    pub(crate) targets: Vec<SavedTarget>,
    pub(crate) exemplars: Vec<Exemplar>,
}

/// A target in a snapshot.
pub(crate) struct SavedTarget {
    pub(crate) key: Key,
    /// The series by number, ascending.
    pub(crate) series: Vec<(u32, Labels)>,
    /// Its blocks, oldest first.
    pub(crate) blocks: Vec<Block>,
    /// Family, kind, help and unit of its metrics.
    pub(crate) described: Vec<(String, String, String, String)>,
}
