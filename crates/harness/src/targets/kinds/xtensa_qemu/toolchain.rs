//! The tools of the Xtensa target: their paths, and the packages to install if they are missing.

use std::fmt;
use std::path::PathBuf;

/// A tool that is not installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTool {
    /// The expected file.
    pub path: PathBuf,
    /// Its purpose.
    pub purpose: &'static str,
    /// The Debian package that contains it.
    pub package: &'static str,
}

/// All missing tools.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MissingTools(pub Vec<MissingTool>);

impl MissingTools {
    /// The command that installs them.
    pub fn install_command(&self) -> String {
        let mut packages: Vec<&str> = self.0.iter().map(|tool| tool.package).collect();
        packages.sort_unstable();
        packages.dedup();
        format!("apt-get install --no-install-recommends {}", packages.join(" "))
    }
}

impl fmt::Display for MissingTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the Xtensa target needs tools that are not installed:")?;
        for tool in &self.0 {
            writeln!(f, "  {} ({}): package {}", tool.path.display(), tool.purpose, tool.package)?;
        }
        write!(f, "install them with: {}", self.install_command())
    }
}

/// The tools, all present.
///
/// The compiler is Debian's own build, used by its full path: a `rustup` shim may come first on `PATH`, and the
/// compilers behind it have no Xtensa back end.
#[derive(Debug, Clone)]
pub struct Toolchain {
    pub(super) cargo: PathBuf,
    pub(super) rustc: PathBuf,
    pub(super) llvm_mc: PathBuf,
    pub(super) ld: PathBuf,
    pub(super) size: PathBuf,
    pub(super) qemu: PathBuf,
}

/// The source that `-Zbuild-std` compiles, from the package that matches the compiler.
const LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/Cargo.toml";

impl Toolchain {
    /// Finds every tool.
    ///
    /// # Errors
    /// All missing tools, with their Debian packages.
    pub fn find() -> Result<Self, MissingTools> {
        Self::find_with(|path| path.is_file())
    }

    fn find_with(exists: impl Fn(&PathBuf) -> bool) -> Result<Self, MissingTools> {
        let mut missing = Vec::new();
        let mut look = |path: &str, purpose, package| {
            let path = PathBuf::from(path);
            if !exists(&path) {
                missing.push(MissingTool { path: path.clone(), purpose, package });
            }
            path
        };
        look(LIBRARY, "source of core and alloc", "rust-web-src");
        let tools = Toolchain {
            cargo: look("/usr/bin/cargo", "drives the compiler", "cargo-web"),
            rustc: look("/usr/bin/rustc", "compiler with an Xtensa back end", "rustc-web"),
            llvm_mc: look("/usr/bin/llvm-mc-22", "assembler", "llvm-22"),
            ld: look("/usr/bin/xtensa-lx106-elf-ld", "linker", "binutils-xtensa-lx106"),
            size: look("/usr/bin/xtensa-lx106-elf-size", "section sizes", "binutils-xtensa-lx106"),
            qemu: look("/usr/bin/qemu-system-xtensa", "emulator", "qemu-system-misc"),
        };
        if missing.is_empty() { Ok(tools) } else { Err(MissingTools(missing)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_tool_is_named_once_with_its_package() {
        let missing =
            Toolchain::find_with(|path| !path.ends_with("llvm-mc-22") && !path.to_string_lossy().contains("lx106"));
        let missing = missing.expect_err("three tools are missing");
        assert_eq!(missing.0.len(), 3);
        assert_eq!(missing.install_command(), "apt-get install --no-install-recommends binutils-xtensa-lx106 llvm-22");
        assert!(missing.to_string().contains("/usr/bin/llvm-mc-22 (assembler): package llvm-22"));
    }

    #[test]
    fn nothing_is_missing_where_everything_is() {
        assert!(Toolchain::find_with(|_| true).is_ok());
    }
}
