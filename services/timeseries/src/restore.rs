//! Makes a target from what a snapshot has of it.

use std::collections::{HashMap, HashSet};

use crate::{
    block::Block, budget::Budget, exposition::KINDS, rows::Rows, series::pairs,
    snapshot::SavedTarget, target::Target,
};

/// The restored target, without the blocks that end after a time. Series for which there is no room are refused.
pub(crate) fn restore(saved: SavedTarget, latest_ms: i64, budget: &Budget) -> Target {
    let SavedTarget { key, series, mut blocks, described } = saved;
    let mut target = Target::new(key.labels());
    blocks.retain(|block| block.to_ms <= latest_ms);
    let used: HashSet<_> = blocks.iter().flat_map(|block| block.series.iter().copied()).collect();
    let mut numbers = HashMap::new();
    for (number, labels) in series.iter().filter(|(number, _)| used.contains(number)) {
        let labels: Vec<_> = pairs(labels).collect();
        match target.series(&labels, false, budget) {
            Some((new, true)) => {
                numbers.insert(*number, new);
            }
            Some((_, false)) => budget.refused.duplicate(1),
            None => budget.refused.limit(1),
        }
    }
    let renumbered = |block: &Block| block.renumbered(|number| numbers.get(&number).copied());
    let blocks: Vec<_> = blocks.iter().map(renumbered).collect();
    for block in &blocks {
        target.touch_all(&block.series, block.to_ms);
    }
    target.rows = Rows::from_blocks(blocks);
    for (family, kind, help, unit) in described {
        let (help, unit) = (budget.intern(&help), budget.intern(&unit));
        let kind = KINDS.iter().find(|known| **known == kind).copied().unwrap_or("unknown");
        target.describe(&family, budget, |known| {
            (known.kind, known.help, known.unit) = (kind, help, unit);
        });
    }
    target
}
