//! Files that people write, checked into a `Suite`.

pub mod diag;
