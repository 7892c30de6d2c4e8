//! Takes orders and settles them.
