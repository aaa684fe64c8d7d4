//! The commands that need the trainer; built with `--features train`, so that a `bitstate` that only runs models
//! builds without a training framework.

pub mod convert;
pub mod data;
pub mod train;
