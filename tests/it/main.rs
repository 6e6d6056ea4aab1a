//! The program as its users run it: the built binary, real folders, a real (tiny, random) checkpoint.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod documents;
mod flow;
mod malformed;
mod mock;
mod project;
mod remote;
mod scores;
