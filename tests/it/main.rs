//! The program as its users run it: the built binary, real folders, a real (tiny, random) checkpoint.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod arrivals;
mod ask;
mod calibrate;
mod calibrate_simulate;
mod cassettes;
mod documents;
mod faults;
mod fit;
mod flow;
mod formats;
mod identity;
mod limits;
mod malformed;
mod many;
mod mock;
mod plan;
mod probe;
mod project;
mod quota;
mod remote;
mod scores;
