//! The parts of the one binary, as a library: the tests reach what the commands are made of.

pub mod embedded;
