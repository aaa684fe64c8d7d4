//! Artifacts that only some requests need.

use crate::workspace::error::Error;
use std::sync::LazyLock;

/// What is built for the first request that needs it, or why the build failed.
#[derive(Debug)]
pub(super) struct Lazy<T>(LazyLock<Result<T, String>, Build<T>>);

type Build<T> = Box<dyn FnOnce() -> Result<T, String> + Send>;

impl<T> Lazy<T> {
    /// Built by `build`, whose error is for readers.
    pub fn new(build: impl FnOnce() -> Result<T, String> + Send + 'static) -> Self {
        Lazy(LazyLock::new(Box::new(build)))
    }

    /// Builds it now, if no request has.
    pub fn build(&self) {
        LazyLock::force(&self.0);
    }

    /// The result of the build; the first caller starts it, and the others wait for it.
    ///
    /// # Errors
    /// If the build failed, now or before.
    pub fn get(&self) -> Result<&T, Error> {
        LazyLock::force(&self.0).as_ref().map_err(|text| Error::Refused(text.clone()))
    }
}
