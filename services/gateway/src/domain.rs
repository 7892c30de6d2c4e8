//! What the gateway decides by itself: whether an order can be meant, and which live message is news.

mod cart;
mod told;

pub(crate) use cart::{Cart, Draft, DraftLine, IdempotencyKey, Line, Mistake};
pub(crate) use told::{News, Told};
