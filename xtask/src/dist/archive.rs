//! A `tar.gz` whose bytes depend only on the names and contents of its files.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::path::Path;

/// Modification time of every file, in seconds since 1970: archives of different days are equal. Not 0, which some programs
/// treat as unset.
const TIME: u64 = 1_000_000_000;

/// A file of the archive.
pub struct Entry {
    path: String,
    bytes: Vec<u8>,
    mode: u32,
}

impl Entry {
    pub fn file(path: &str, bytes: Vec<u8>) -> Self {
        Entry { path: path.into(), bytes, mode: 0o644 }
    }

    pub fn program(path: &str, bytes: Vec<u8>) -> Self {
        Entry { path: path.into(), bytes, mode: 0o755 }
    }
}

/// Packs these files, sorted by name, into a folder `name`.
pub fn pack(name: &str, mut entries: Vec<Entry>) -> io::Result<Vec<u8>> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for Entry { path, bytes, mode } in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_mtime(TIME);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        tar.append_data(&mut header, format!("{name}/{path}"), &bytes[..])?;
    }
    let mut zipped = tar.into_inner()?;
    zipped.flush()?;
    zipped.finish()
}

/// Unpacks an archive into a folder.
pub fn unpack(archive: &[u8], folder: &Path) -> io::Result<()> {
    tar::Archive::new(GzDecoder::new(archive)).unpack(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_same_files_are_the_same_archive_in_any_order() {
        let files = || vec![Entry::file("man/a.1", b"page".to_vec()), Entry::program("bitstate", vec![0; 5000])];
        let reversed = files().into_iter().rev().collect();
        let archive = pack("bitstate-1", files()).unwrap();
        assert_eq!(archive, pack("bitstate-1", reversed).unwrap());
        assert_ne!(archive, pack("bitstate-2", files()).unwrap());
        let folder = tempfile::tempdir().unwrap();
        unpack(&archive, folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("bitstate-1/man/a.1")).unwrap(), b"page");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join("bitstate-1/bitstate")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o755);
        }
    }
}
