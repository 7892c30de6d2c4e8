//! What the gateway decides by itself: whether an order is valid, and whether a live message is new.

mod cart;
mod told;

pub(crate) use cart::{Cart, Draft, DraftLine, IdempotencyKey, Line, Mistake};
pub(crate) use told::{News, Told};
