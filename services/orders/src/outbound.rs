//! Outbound: stock and prices.

mod catalog;
mod inventory;

pub(crate) use catalog::Catalog;
pub(crate) use inventory::Inventory;
