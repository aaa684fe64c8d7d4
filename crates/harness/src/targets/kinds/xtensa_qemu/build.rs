//! Builds the firmware's objects from the crates.

use super::literals::move_literals;
use super::toolchain::Toolchain;
use crate::targets::kinds::firmware::{Error, Firmware, Tools, assemble, run_tool};
use crate::workspace::Workspace;
use crate::workspace::cargo::cargo_by;
use crate::workspace::environment::command;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Features that start-up code needs in addition to the board's, for its special registers.
const START_FEATURES: &str = "+exception,+rvector,+coprocessor,+timers1,+interrupt";

/// The compiler's built-in layout does not match the back end's.
const DATA_LAYOUT: &str = "e-m:e-p:32:32-i8:8:32-i16:16:32-i64:64-n32";

/// `-inline-max-stacksize` keeps frames small. The back end sets a slot aside for when it runs out of registers only
/// where a frame is larger than 2 KB, but stores already need one from 1 KB on ("Cannot scavenge register without an
/// emergency spill slot"). A function with more than this many bytes of variables in memory is not inlined, so that one
/// function does not gather the frames of all it calls.
///
/// `-disable-lsr` leaves the addresses in loops as they are written. Loop strength reduction does not know that a load's
/// offset is unsigned here: it counts pointers from the middle of what they reach, and pays an `addi` for each load
/// below it.
pub const RUST_FLAGS: &str = "-Cllvm-args=-inline-max-stacksize=64 -disable-lsr";

/// With the library: SHA-256 as a loop, because unrolled it takes 11 KB more.
const SMALL_SHA: &str = "--cfg=sha2_backend_soft=\"compact\"";

/// Wraps the compiler to emit assembly of `compiler_builtins` too: that crate takes no part in link-time optimisation,
/// and the back end can compile it as one unit without float instructions.
const WRAPPER: &str = r#"#!/bin/sh
case " $* " in
*" --crate-name compiler_builtins "*)
    exec "$@" --emit=asm="$BITSTATE_BUILTINS_ASM" -C target-feature=-fp,-bool -C codegen-units=1 ;;
*) exec "$@" ;;
esac
"#;

/// Firmware to build.
#[derive(Debug)]
pub(in crate::targets::kinds) struct Recipe<'a> {
    /// Its package.
    pub package: &'static str,
    /// Its assembly, as paths from the workspace's root; the names of the objects.
    pub assembly: &'a [(&'static str, &'static str)],
    /// Features of the core, as the compiler and the assembler spell them.
    pub features: &'a str,
    /// Linker script, as a path from the workspace's root.
    pub script: &'a str,
    /// Options of the emulator.
    pub options: Vec<String>,
    /// Whether it has the library, and is small instead of comparable with other builds.
    pub sessions: bool,
}

/// Builds firmware of a workspace into `out_dir`; objects that are up to date are kept.
///
/// # Errors
/// The end of the failing tool's output and the path of its log.
pub(in crate::targets::kinds) fn build(
    tools: &Toolchain,
    recipe: &Recipe,
    workspace: &Workspace,
    out_dir: &Path,
) -> Result<Firmware, Error> {
    fs::create_dir_all(out_dir).map_err(Error::io("create", out_dir))?;
    let root = workspace.root.canonicalize().map_err(Error::io("find", &workspace.root))?;
    let dir = out_dir.canonicalize().map_err(Error::io("find", out_dir))?;
    let builder = Builder { tools, recipe, root: &root, dir: &dir };
    builder.forget_other_builds()?;
    builder.compile(workspace)?;
    let start_features = format!("{},{START_FEATURES}", recipe.features);
    let mut objects = Vec::new();
    for (name, source) in recipe.assembly {
        objects.push(builder.assemble(&root.join(source), name, &start_features)?);
    }
    objects.push(builder.assemble(&builder.asm("firmware"), "firmware", recipe.features)?);
    objects.push(builder.assemble(&builder.asm("builtins"), "builtins", recipe.features)?);
    Ok(Firmware { tools: builder.tools(), script: root.join(recipe.script), objects })
}

struct Builder<'a> {
    tools: &'a Toolchain,
    recipe: &'a Recipe<'a>,
    root: &'a Path,
    dir: &'a Path,
}

impl Builder<'_> {
    fn tools(&self) -> Tools {
        Tools {
            assembler: self.tools.llvm_mc.clone(),
            triple: "xtensa-none-elf",
            linker: self.tools.ld.clone(),
            // Relaxation would move the literals back.
            linker_flags: &["--no-relax", "--no-warn-rwx-segments"],
            size: self.tools.size.clone(),
            emulator: (self.tools.qemu.clone(), self.recipe.options.clone()),
        }
    }

    fn target_dir(&self) -> PathBuf {
        self.dir.join("cargo")
    }

    fn spec(&self) -> PathBuf {
        self.dir.join("xtensa-bitstate.json")
    }

    /// Path of the compiler's assembly output: in cargo's folder, so that both are removed together.
    fn asm(&self, name: &str) -> PathBuf {
        self.target_dir().join(format!("{name}.s"))
    }

    /// Removes cargo's folder if it was used for another workspace, such as a second checkout, or if a cache restored
    /// only part of it: cargo does not track the assembly, and would consider its crates up to date without it.
    fn forget_other_builds(&self) -> Result<(), Error> {
        let mark = self.dir.join("workspace");
        let root = self.root.to_string_lossy();
        let target_dir = self.target_dir();
        let same_workspace = fs::read_to_string(&mark).ok().as_deref() == Some(&*root);
        let complete = ["firmware", "builtins"].iter().all(|name| self.asm(name).is_file());
        if target_dir.exists() && !(same_workspace && complete) {
            fs::remove_dir_all(&target_dir).map_err(Error::io("remove", &target_dir))?;
        }
        write_if_changed(&mark, &root)
    }

    fn compile(&self, workspace: &Workspace) -> Result<(), Error> {
        let target_dir = self.target_dir();
        fs::create_dir_all(&target_dir).map_err(Error::io("create", &target_dir))?;
        let spec = self.spec();
        write_if_changed(&spec, &self.target_spec()?)?;
        let wrapper = self.dir.join("rustc-wrapper.sh");
        write_if_changed(&wrapper, WRAPPER)?;
        make_executable(&wrapper)?;

        let (mut rustflags, mut std_features) = (RUST_FLAGS.to_string(), "compiler-builtins-mem".to_string());
        let mut command = cargo_by(&self.tools.cargo, workspace, "rustc")?;
        if self.recipe.sessions {
            command.args(["--features", "sessions"]);
            rustflags = [RUST_FLAGS, SMALL_SHA].join("\u{1f}");
            // Short sorts, because the fast ones take 30 KB.
            std_features += ",optimize_for_size";
        }
        command
            .env_remove("RUSTUP_TOOLCHAIN")
            .env("PATH", path_of_debian_tools())
            .env("RUSTC", &self.tools.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC_WRAPPER", &wrapper)
            .env("BITSTATE_BUILTINS_ASM", self.asm("builtins"))
            // Takes precedence over the flags in the checkout's configuration, which are for the host.
            .env("CARGO_ENCODED_RUSTFLAGS", rustflags)
            .env("CARGO_TARGET_DIR", &target_dir)
            .args(["--package", self.recipe.package, "--lib", "--crate-type", "staticlib", "--profile", "firmware"])
            .arg("--target")
            .arg(&spec)
            .args(["-Zjson-target-spec", "-Zbuild-std=core,alloc"])
            .arg(format!("-Zbuild-std-features={std_features}"))
            .args(["--color", "never", "--"]);
        let mut emit = OsString::from("--emit=asm=");
        emit.push(self.asm("firmware"));
        run_tool(command.arg(emit), &self.dir.join("cargo.log"))?;
        Ok(())
    }

    /// The compiler's own specification of an ESP32 target, with the necessary changes.
    fn target_spec(&self) -> Result<String, Error> {
        let mut command = command(&self.tools.rustc);
        command.env("RUSTC_BOOTSTRAP", "1").args(["-Zunstable-options", "--print", "target-spec-json"]);
        command.args(["--target", "xtensa-esp32-none-elf"]);
        adapt_spec(&run_tool(&mut command, &self.dir.join("target-spec.log"))?, self.recipe.features)
    }

    /// Moves a file's literals and assembles it, if its object is older than the file or than the features it was
    /// assembled with.
    fn assemble(&self, source: &Path, name: &str, features: &str) -> Result<PathBuf, Error> {
        let object = self.dir.join(format!("{name}.o"));
        // The target specification contains the features.
        if is_newer(&object, source) && is_newer(&object, &self.spec()) {
            return Ok(object);
        }
        let text = fs::read_to_string(source).map_err(Error::io("read", source))?;
        let fixed = self.dir.join(format!("{name}.fixed.s"));
        fs::write(&fixed, move_literals(&text)).map_err(Error::io("write", &fixed))?;
        assemble(&self.tools(), &fixed, &object, features)?;
        Ok(object)
    }
}

fn adapt_spec(printed: &str, features: &str) -> Result<String, Error> {
    let bad = |what: String| Error::Unreadable { tool: "rustc --print target-spec-json", what };
    let mut spec: Value = serde_json::from_str(printed).map_err(|error| bad(error.to_string()))?;
    let fields = spec.as_object_mut().ok_or_else(|| bad("not an object".into()))?;
    fields.insert("data-layout".into(), json!(DATA_LAYOUT));
    fields.insert("cpu".into(), json!("generic"));
    fields.insert("features".into(), json!(features));
    // The back end lowers them to calls of a library that does not exist, so they are disabled at compile time.
    fields.insert("atomic-cas".into(), json!(false));
    Ok(format!("{spec:#}\n"))
}

/// Debian's tools first: a rustup shim may precede them.
fn path_of_debian_tools() -> OsString {
    let mut path = OsString::from("/usr/bin:/bin");
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

fn is_newer(object: &Path, source: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    matches!((modified(object), modified(source)), (Ok(object), Ok(source)) if object > source)
}

/// Does not touch an identical file: cargo compares its modification time.
fn write_if_changed(path: &Path, text: &str) -> Result<(), Error> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(Error::io("write", path))
}

fn make_executable(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(Error::io("make executable", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::write_atomic;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_target_keeps_what_the_compiler_says_but_for_four_fields() {
        let spec =
            adapt_spec(r#"{"arch":"xtensa","cpu":"esp32","data-layout":"wrong","target-pointer-width":32}"#, "+fp");
        let spec: Value = serde_json::from_str(&spec.expect("an object")).expect("JSON");
        assert_eq!(spec["arch"], "xtensa");
        assert_eq!(spec["target-pointer-width"], 32);
        assert_eq!(spec["cpu"], "generic");
        assert_eq!(spec["data-layout"], DATA_LAYOUT);
        assert_eq!(spec["features"], "+fp");
        assert!(adapt_spec("[]", "").is_err());
        assert!(adapt_spec("{", "").is_err());
    }

    /// A builder in a folder, whose assembler only copies; it must not run anything else.
    fn builder<'a>(folder: &'a Path, tools: &'a Toolchain) -> Builder<'a> {
        const RECIPE: &Recipe = &Recipe {
            package: "p",
            assembly: &[],
            features: "+fp",
            script: "link.ld",
            options: Vec::new(),
            sessions: false,
        };
        Builder { tools, recipe: RECIPE, root: folder, dir: folder }
    }

    fn tools(folder: &Path) -> Toolchain {
        let assembler = folder.join("as.sh");
        let script = r#"printf '#!/bin/sh\nfor last; do :; done\ncp "$4" "$last"\n' >"$0"; chmod 755 "$0""#;
        // Written by another process, so that no child of this one inherits it open for writing.
        let written = command("sh").args(["-c", script]).arg(&assembler).status().expect("a shell");
        assert!(written.success());
        let no = PathBuf::from("/nowhere");
        Toolchain {
            cargo: no.clone(),
            rustc: no.clone(),
            llvm_mc: assembler,
            ld: no.clone(),
            size: no.clone(),
            qemu: no,
        }
    }

    /// The files that a cache restores, by path from the target folder.
    fn kept(folder: &Path, names: &[&str]) {
        let _ = fs::remove_dir_all(folder.join("cargo"));
        for name in names {
            write_atomic(&folder.join(name), b"kept").expect("written");
        }
    }

    #[test]
    fn cargo_keeps_what_it_built_only_where_the_assembly_is_there_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let (folder, tools) = (folder.path(), tools(folder.path()));
        let builder = builder(folder, &tools);
        let all = ["cargo/firmware.s", "cargo/builtins.s", "cargo/xtensa-bitstate/firmware/deps/a.rlib"];
        let left = |names: &[&str]| {
            kept(folder, names);
            builder.forget_other_builds().expect("forgotten");
            names.iter().filter(|name| folder.join(name).is_file()).count()
        };
        assert_eq!(left(&all), 0, "of a workspace that is not known");
        assert_eq!(left(&all), 3, "all of it, of this one");
        for lost in 0..2 {
            let some: Vec<&str> = all.iter().copied().filter(|name| *name != all[lost]).collect();
            assert_eq!(left(&some), 0, "without {}", all[lost]);
        }
        // Without the crates, cargo builds them and the assembly with them.
        assert_eq!(left(&all[..2]), 2);
        fs::write(folder.join("workspace"), "/another").expect("written");
        assert_eq!(left(&all), 0, "of another workspace");
    }

    #[test]
    fn an_object_that_is_lost_or_older_than_its_source_is_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (folder, tools) = (folder.path(), tools(folder.path()));
        let builder = builder(folder, &tools);
        let (source, object) = (folder.join("a.s"), folder.join("a.o"));
        fs::write(builder.spec(), "{}").expect("written");
        fs::write(&source, "nop\n").expect("written");
        let old = SystemTime::now() - Duration::from_secs(60);
        let made = |lost: &dyn Fn()| {
            lost();
            let assembled = builder.assemble(&source, "a", "");
            assembled.map(|object| fs::read_to_string(object).expect("an object")).expect("assembled")
        };
        let set =
            |path: &Path, time| fs::File::options().write(true).open(path).and_then(|file| file.set_modified(time));
        assert!(made(&|| {}).contains("nop"));
        let wrong = |time: SystemTime| {
            fs::write(&object, "wrong").expect("written");
            set(&object, time).expect("dated");
        };
        let new = SystemTime::now() + Duration::from_secs(60);
        assert_eq!(made(&|| wrong(new)), "wrong", "one that is newer is not looked into");
        assert!(made(&|| wrong(old)).contains("nop"));
        assert!(made(&|| fs::remove_file(&object).expect("removed")).contains("nop"));
        fs::remove_file(folder.join("a.fixed.s")).expect("removed");
        assert!(made(&|| wrong(old)).contains("nop"));
    }
}
