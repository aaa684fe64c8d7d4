//! The folders of a workspace, atomic writes, the lock of a target folder, the state of the repository, and checkouts
//! of other commits.

pub mod checkout;
pub mod files;
pub mod folders;
pub mod git;
pub mod lock;
pub mod sweep;
