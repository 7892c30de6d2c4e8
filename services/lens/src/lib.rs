//! The embedded observability backend.
