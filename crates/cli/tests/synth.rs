//! Model files made by `synth`: the library's bytes, written whole or not at all.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::bits::{Preset, Version, synthetic};
use std::fs;
use support::Folder;

#[test]
fn a_file_depends_only_on_the_seed_and_nothing_else_is_left() {
    let folder = Folder::new();
    let before = folder.names();
    let config = Preset::by_name("small").unwrap().config();
    for (seed, version) in [(1, Version::V1_0), (2, Version::V1_1), (u64::MAX, Version::V1_2)] {
        // The same name each time: the previous file is replaced.
        let out = folder.stdout(&format!("synth --preset small --seed {seed} --format {version} --out folder/m.bits"));
        let file = fs::read(folder.path().join("folder/m.bits")).unwrap();
        assert_eq!(out, format!("folder/m.bits: {} bytes\n", file.len()));
        assert!(file == synthetic(&config, seed, version), "{seed} {version}");
        assert_eq!(fs::read_dir(folder.path().join("folder")).unwrap().count(), 1);
    }
    folder.stdout("synth --preset small --out here.bits");
    let file = fs::read(folder.path().join("here.bits")).unwrap();
    assert!(file == synthetic(&config, 1, Version::V1_2), "the defaults are seed 1 and the newest format");
    let added: Vec<String> = folder.names().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(added, ["here.bits"]);
}

/// Others may read it, if the umask allows it.
#[cfg(unix)]
#[test]
fn a_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.stdout("synth --preset small --out made.bits");
    let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("made.bits"), mode("empty.bits"));
}

/// A file size limit simulates a full disk.
#[cfg(unix)]
#[test]
fn a_failed_write_keeps_the_old_file() {
    let folder = Folder::new();
    let (names, empty) = (folder.names(), fs::read(folder.path().join("empty.bits")).unwrap());
    // Without the trap, the signal would end the process before the write fails.
    let script = format!(
        "trap '' XFSZ; ulimit -f 4; exec {} synth --preset small --out empty.bits",
        env!("CARGO_BIN_EXE_bitstate")
    );
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    let ran = support::Ran::new(output);
    assert!(!ran.success && ran.out.is_empty(), "{ran:?}");
    assert!(ran.err.starts_with("error: cannot write empty.bits: File too large"), "{}", ran.err);
    assert_eq!(folder.names(), names);
    assert_eq!(fs::read(folder.path().join("empty.bits")).unwrap(), empty);
}
