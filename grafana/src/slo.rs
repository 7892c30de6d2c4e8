//! The promises that are measured: targets and windows are written here and nowhere else.
