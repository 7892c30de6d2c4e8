//! Writes a snapshot.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use promql::Labels;

use super::HEAD;
use crate::{
    block::Block,
    codec::put_number,
    exemplars::Exemplars,
    hash,
    rows::View,
    target::{Key, Target},
};

/// The bytes of a snapshot. Targets are locked one at a time, and the exemplars after them: a scrape locks the exemplars while it
/// holds its target, so the other order would let both wait for each other.
pub(crate) fn write(
    targets: impl Iterator<Item = (Key, Arc<Mutex<Target>>)>,
    exemplars: &Mutex<Exemplars>,
) -> Vec<u8> {
    let mut writer = Writer::default();
    let targets: Vec<_> = targets.collect();
    writer.number(targets.len() as u64);
    for (key, target) in &targets {
        writer.target(key, &target.lock());
    }
    let exemplars = exemplars.lock();
    writer.number(exemplars.len() as u64);
    for exemplar in exemplars.iter() {
        writer.labels(&exemplar.series);
        writer.number(exemplar.sample.at_ms as u64);
        writer.number(exemplar.sample.value.to_bits());
        writer.labels(&exemplar.labels());
    }
    writer.finish()
}

#[derive(Default)]
struct Writer {
    texts: HashMap<Arc<str>, u64>,
    /// The texts in their order, each after its length.
    table: Vec<u8>,
    bytes: Vec<u8>,
}

impl Writer {
    fn finish(self) -> Vec<u8> {
        let mut all = HEAD.to_vec();
        put_number(self.texts.len() as u64, &mut all);
        all.extend(self.table);
        all.extend(self.bytes);
        let checksum = hash::of(&all);
        all.extend(checksum.to_le_bytes());
        all
    }

    fn number(&mut self, number: u64) {
        put_number(number, &mut self.bytes);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// A text as its place in the table.
    fn text(&mut self, text: &Arc<str>) {
        let next = self.texts.len() as u64;
        let place = *self.texts.entry(Arc::clone(text)).or_insert_with(|| {
            put_number(text.len() as u64, &mut self.table);
            self.table.extend_from_slice(text.as_bytes());
            next
        });
        self.number(place);
    }

    fn labels(&mut self, labels: &Labels) {
        self.number(labels.len() as u64);
        for (name, value) in labels.iter() {
            self.text(name);
            self.text(value);
        }
    }

    fn target(&mut self, key: &Key, target: &Target) {
        match key {
            Key::Target(labels) => {
                self.number(0);
                self.labels(labels);
            }
            Key::Rules(group) => {
                self.number(1);
                self.text(&group.as_str().into());
            }
        }
        self.number(target.series.len() as u64);
        for (number, series) in target.series.iter() {
            self.number(u64::from(number));
            self.labels(&series.labels);
        }
        let View { blocks, rows } = target.rows.view(i64::MIN, i64::MAX);
        let open = (!rows.is_empty()).then(|| Arc::new(Block::of_rows(&rows, None)));
        self.number((blocks.len() + usize::from(open.is_some())) as u64);
        for block in blocks.iter().chain(&open) {
            self.block(block);
        }
        self.number(target.described.len() as u64);
        for (family, description) in &target.described {
            self.text(family);
            self.text(&description.kind.into());
            self.text(&description.help);
            self.text(&description.unit);
        }
    }

    fn block(&mut self, block: &Block) {
        self.number(u64::from(block.rows));
        self.bytes(&block.times);
        self.number(block.series.len() as u64);
        for (series, column) in block.columns() {
            self.number(u64::from(series));
            self.bytes(column);
        }
    }
}
