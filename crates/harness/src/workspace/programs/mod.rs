//! Other programs: finding, installing, building and running them, with limits, in a declared environment, on a chosen
//! processor.

pub mod cargo;
pub mod environment;
pub mod log;
pub mod process;
pub mod processor;
pub mod setup;
pub mod tools;
