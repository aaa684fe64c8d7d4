//! The key that clients must send.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;

/// Largest key file in bytes.
const LARGEST: u64 = 4096;

/// The key that clients must send. Only its hash is kept, and comparison takes constant time.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// Why a key is rejected.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key file {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
    /// Users other than its owner can read or write the file.
    #[error("the key file {} can be accessed by others (mode {mode:03o}): chmod 600 {}", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A header cannot contain the key.
    #[error("the key must be 16 or more characters of printable ASCII without spaces, on one line")]
    Form,
}

impl Key {
    /// A key of at least 16 printable ASCII characters; white space around it is removed.
    ///
    /// # Errors
    /// If it is shorter, or a header cannot contain it.
    pub fn new(key: &str) -> Result<Self, KeyError> {
        let key = key.trim();
        if key.len() < 16 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Form);
        }
        Ok(Key(Sha256::digest(key).into()))
    }

    /// Reads the key from a file that only its owner can access.
    ///
    /// # Errors
    /// If the file cannot be read, others can access it, or it does not contain a key.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |cause| KeyError::Read { path: path.into(), cause };
        let file = File::open(path).map_err(failed)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Open { path: path.into(), mode });
            }
        }
        let mut key = String::new();
        file.take(LARGEST).read_to_string(&mut key).map_err(failed)?;
        Key::new(&key)
    }

    /// Whether `given` is the key.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        self.0.ct_eq(&given).into()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}
