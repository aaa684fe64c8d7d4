//! What the builds and runs need from the machine, and whether it is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Something that must be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// A compiler for `wasm32-unknown-unknown`: rustup's target if it is there, else Debian's compiler.
    WasmToolchain,
    /// Debian's `rustc-web` and `cargo-web`, whose LLVM has the Xtensa back end.
    DebianRust,
    /// The library source that matches it.
    RustSource,
    /// LLVM 22's assembler.
    Llvm,
    /// The GNU linker for Xtensa.
    XtensaLinker,
    /// QEMU with the Xtensa target.
    Qemu,
    /// valgrind, whose callgrind counts native instructions.
    Valgrind,
}

/// A tool that is there.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// What it says about itself.
    pub version: String,
}

/// Which compiler makes the WASM guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WasmToolchain {
    /// The toolchain that runs this harness; it has the target's library.
    Rustup,
    /// Debian's, which builds the library itself.
    Debian,
}

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// Oldest compiler that builds the workspace, as in `Cargo.toml`.
const OLDEST_RUST: (u32, u32) = (1, 95);

impl Tool {
    /// Every tool.
    pub const ALL: [Tool; 7] = [
        Tool::WasmToolchain,
        Tool::DebianRust,
        Tool::RustSource,
        Tool::Llvm,
        Tool::XtensaLinker,
        Tool::Qemu,
        Tool::Valgrind,
    ];

    /// What it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Tool::WasmToolchain => "Rust for wasm32-unknown-unknown",
            Tool::DebianRust => "Debian's Rust (rustc-web) with the Xtensa back end",
            Tool::RustSource => "source of Debian's Rust library",
            Tool::Llvm => "LLVM 22 assembler (llvm-mc-22)",
            Tool::XtensaLinker => "linker for Xtensa (xtensa-lx106-elf-ld)",
            Tool::Qemu => "QEMU for Xtensa (qemu-system-xtensa)",
            Tool::Valgrind => "valgrind, which counts native instructions",
        }
    }

    /// Debian packages that bring it.
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Tool::WasmToolchain => &["rustc-web", "cargo-web", "rust-web-src", "lld-22"],
            Tool::DebianRust => &["rustc-web", "cargo-web"],
            Tool::RustSource => &["rust-web-src"],
            Tool::Llvm => &["llvm-22"],
            Tool::XtensaLinker => &["binutils-xtensa-lx106"],
            Tool::Qemu => &["qemu-system-misc"],
            Tool::Valgrind => &["valgrind"],
        }
    }

    /// Looks for it.
    pub fn find(self) -> Option<Found> {
        match self {
            Tool::WasmToolchain => wasm_toolchain().map(|(_, found)| found),
            Tool::DebianRust => debian_rust(),
            Tool::RustSource => rust_source(),
            Tool::Llvm => program("llvm-mc-22", "version"),
            Tool::XtensaLinker => program("xtensa-lx106-elf-ld", "GNU ld"),
            Tool::Qemu => program("qemu-system-xtensa", "version"),
            Tool::Valgrind => program("valgrind", "valgrind"),
        }
    }
}

/// The compiler for WASM and what is known about it.
pub fn wasm_toolchain() -> Option<(WasmToolchain, Found)> {
    let rustc = std::env::var_os("RUSTC").map_or(PathBuf::from("rustc"), PathBuf::from);
    let sysroot = said(Command::new(&rustc).args(["--print", "sysroot"])).unwrap_or_default();
    let library = Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown/lib");
    if !sysroot.is_empty() && library.is_dir() {
        let version = said(Command::new(&rustc).arg("--version"))?;
        return Some((WasmToolchain::Rustup, Found { path: rustc, version: version.trim().to_string() }));
    }
    let rust = debian_rust()?;
    rust_source()?;
    program("wasm-ld-22", "LLD")?;
    Some((WasmToolchain::Debian, rust))
}

fn debian_rust() -> Option<Found> {
    Path::new(DEBIAN_CARGO).is_file().then_some(())?;
    let version = said(Command::new(DEBIAN_RUSTC).arg("--version"))?;
    let number = version.split_whitespace().nth(1)?;
    let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
    let found = (parts.next()??, parts.next()??);
    (found >= OLDEST_RUST).then(|| Found { path: DEBIAN_RUSTC.into(), version: version.trim().to_string() })
}

fn rust_source() -> Option<Found> {
    let sysroot = said(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]))?;
    let path = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    path.join("core/src/lib.rs").is_file().then(|| Found { path, version: "matches rustc-web".into() })
}

/// A program on the path; its version is the first line of `--version` that holds `mark`.
pub fn program(name: &str, mark: &str) -> Option<Found> {
    let folders = std::env::var_os("PATH")?;
    let path = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())?;
    let text = said(Command::new(&path).arg("--version"))?;
    let line = text.lines().find(|line| line.contains(mark)).or_else(|| text.lines().next()).unwrap_or("");
    Some(Found { path, version: line.trim().to_string() })
}

/// What a short command prints, if it succeeds. It is run outside any chosen rustup toolchain of ours.
pub(crate) fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A cargo command of Debian's toolchain, allowed to build the library for a foreign target.
pub fn debian_cargo() -> Command {
    let mut command = Command::new(DEBIAN_CARGO);
    for name in ["RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTDOC", "CARGO"] {
        command.env_remove(name);
    }
    command.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
    command
}

/// A cargo command of the toolchain that runs this harness.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
