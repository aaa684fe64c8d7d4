//! The contents of a path before and after writing: files, links, devices, pipes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_files::{WriteError, read, read_from, sweep, write_whole};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    write_whole(path, |file| file.write_all(bytes))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write(&path, b"first, and longer").unwrap();
    write(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    let failed = write_whole(&path, |file| file.write_all(b"half").and(Err(io::Error::other("no more"))));
    assert_eq!(failed.unwrap_err().to_string(), format!("cannot write {}: no more", path.display()));
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn errors_name_the_folder_or_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    let text = |name| write(&path(name), b"x").unwrap_err().to_string();
    fs::write(path("file"), "").unwrap();
    assert!(text("nowhere/a").starts_with(&format!("cannot write into {}", path("nowhere").display())));
    assert!(text("file/a").starts_with(&format!("cannot write into {}", path("file").display())));
    assert!(text("").starts_with("cannot write "));
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn what_a_killed_process_left_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    for name in [".bitstate-abc", "kept", ".other"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    sweep(folder.path()).unwrap();
    assert_eq!(names(folder.path()), [".other", "kept"]);
}

#[test]
fn no_more_than_the_limit_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, vec![7; 2048]).unwrap();
    assert_eq!(read(&path, 2048).unwrap(), [7; 2048]);
    assert!(read(&path, 2047).unwrap_err().to_string().starts_with("larger than 1 KiB"));
    assert!(read_from(io::repeat(1), 3 << 20).unwrap_err().to_string().starts_with("larger than 3 MiB"));
    assert_eq!(read_from(io::repeat(1).take(5), 5).unwrap(), [1; 5]);
    assert_eq!(read(&folder.path().join("b"), 9).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_without_an_end_is_read_no_further() {
    assert!(read(Path::new("/dev/zero"), 1 << 20).unwrap_err().to_string().starts_with("larger than 1 MiB"));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A chain of links, relative and absolute, to a file in another folder.
    #[test]
    fn a_link_stays_one_and_its_target_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::create_dir(path("there")).unwrap();
        fs::write(path("there/model"), "old").unwrap();
        symlink("model", path("there/near")).unwrap();
        symlink("there/near", path("far")).unwrap();
        symlink(path("far"), path("farther")).unwrap();
        write(&path("farther"), b"new").unwrap();
        assert_eq!(fs::read(path("there/model")).unwrap(), b"new");
        assert_eq!(fs::read(path("farther")).unwrap(), b"new");
        for link in ["there/near", "far", "farther"] {
            assert!(path(link).is_symlink(), "{link}");
        }
        assert_eq!((names(folder.path()).len(), names(&path("there"))), (3, vec!["model".into(), "near".into()]));
    }

    #[test]
    fn a_link_to_nothing_makes_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::create_dir(path("there")).unwrap();
        symlink("there/new", path("link")).unwrap();
        write(&path("link"), b"new").unwrap();
        assert!(path("link").is_symlink());
        assert_eq!(fs::read(path("there/new")).unwrap(), b"new");

        symlink("nowhere/new", path("lost")).unwrap();
        assert!(matches!(write(&path("lost"), b"new"), Err(WriteError::Folder { .. })));
        symlink("round", path("round")).unwrap();
        assert!(matches!(write(&path("round"), b"new"), Err(WriteError::File { .. })));
        symlink("there", path("folder")).unwrap();
        assert!(write(&path("folder"), b"new").is_err());
        assert!(path("folder").is_symlink() && path("round").is_symlink());
    }

    /// Others may read it, as far as the umask permits.
    #[test]
    fn a_file_has_the_rights_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        write(&path("whole"), b"x").unwrap();
        fs::write(path("any"), "x").unwrap();
        let mode = |name| fs::metadata(path(name)).unwrap().permissions().mode();
        assert_eq!(mode("whole"), mode("any"));
    }

    #[test]
    fn a_device_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("null");
        symlink("/dev/null", &link).unwrap();
        write(&link, b"x").unwrap();
        assert!(!fs::metadata(&link).unwrap().is_file(), "the device is still there");
        assert_eq!(names(folder.path()), ["null"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_that_is_full_is_an_error() {
        let error = write(Path::new("/dev/full"), b"x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write /dev/full: No space left"), "{error}");
    }

    /// As a shell passes files: by their descriptors, which cannot be replaced by another file.
    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_file_is_written_to() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open");
        let mut file = fs::File::create_new(&path).unwrap();
        for fds in ["/dev/fd", "/proc/self/fd"] {
            write(&Path::new(fds).join(file.as_raw_fd().to_string()), fds.as_bytes()).unwrap();
        }
        let mut text = String::new();
        fs::File::open(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "/proc/self/fd");
        assert_eq!(names(folder.path()), ["open"]);
        // The file that was opened, not another one of its name.
        file.write_all(b"/same").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"/same/self/fd");

        let (mut reader, writer) = io::pipe().unwrap();
        write(&Path::new("/dev/fd").join(writer.as_raw_fd().to_string()), b"model").unwrap();
        drop(writer);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"model");
        let (reader, writer) = io::pipe().unwrap();
        let path = Path::new("/dev/fd").join(writer.as_raw_fd().to_string());
        drop(reader);
        let error = write(&path, b"model").unwrap_err().to_string();
        assert!(error.contains("Broken pipe"), "{error}");
    }
}
