//! Knows the products.
