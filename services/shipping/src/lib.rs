//! Dispatches and delivers.
