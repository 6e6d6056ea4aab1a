//! Local inference in process.
mod kernel;
