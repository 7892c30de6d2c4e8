//! Keeps the stock and the reservations.
