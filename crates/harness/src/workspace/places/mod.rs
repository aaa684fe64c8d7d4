//! Where things lie: the folders, files that are written whole, the lock of a target folder, the state of the
//! repository, checkouts of other commits.

pub mod checkout;
pub mod files;
pub mod folders;
pub mod git;
pub mod lock;
pub mod sweep;
