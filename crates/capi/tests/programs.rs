//! The header, C and C++ programs, and a Python script, built here with the built libraries. If a tool is missing, its test is
//! ignored with the reason.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate::{Model, Stop};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The version that generates the header. It is not a dependency: its licence, MPL-2.0, is acceptable for a tool.
const CBINDGEN: &str = "0.29.4";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = vec![
        Trial::ignorable_test("the_header_matches_the_source", header),
        Trial::ignorable_test("c_generates_the_same_story", || c_story(Library::Dynamic)),
        Trial::ignorable_test("c_generates_it_with_the_static_library", || c_story(Library::Static)),
        Trial::ignorable_test("misuse_from_c_returns_a_status", misuse),
        Trial::ignorable_test("the_header_compiles_as_cpp", cpp),
        Trial::ignorable_test("python_generates_it_with_ctypes", python),
    ];
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn model() -> String {
    here("../../golden/models/stories-byte/model.bits").to_str().unwrap().into()
}

/// Folder of the libraries: that of this program.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_path_buf()
}

/// The output of a program, or why it failed.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let [out, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() { Ok(out) } else { Err(format!("{command:?}: {out}{said}")) }
}

/// The expected output of the examples, computed with the library.
fn story(seed: u64, tokens: u64) -> String {
    let model = Model::open(model()).unwrap();
    let mut session = model.session(model.sampling(seed)).unwrap();
    session.feed_text("Once upon a time").unwrap();
    let text: String = session.text(Stop::new().max_tokens(tokens)).map(|piece| piece.unwrap()).collect();
    format!("Once upon a time{text}\n")
}

/// The generator of the header, installed below the target folder if it is not on the path, or why there is none.
fn cbindgen() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cbindgen");
    let own = root.join("bin/cbindgen");
    for program in [own.clone(), "cbindgen".into()] {
        if output(Command::new(&program).arg("--version")).is_ok_and(|said| said.trim().ends_with(CBINDGEN)) {
            return Ok(program);
        }
    }
    let mut install = Command::new(env!("CARGO"));
    // For one small header, without optimisation.
    install.args(["install", "cbindgen", "--debug", "--locked", "--version", CBINDGEN, "--root"]).arg(&root);
    install.env("CARGO_TARGET_DIR", root.join("target"));
    output(&mut install).map_err(|said| {
        let last = said.trim().lines().last().unwrap_or_default().to_string();
        format!("cbindgen {CBINDGEN} is missing and cannot be installed: {last}")
    })?;
    let _ = std::fs::remove_dir_all(root.join("target"));
    Ok(own)
}

fn header() -> Result<Completion, Failed> {
    let cbindgen = match cbindgen() {
        Ok(cbindgen) => cbindgen,
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    let mut command = Command::new(cbindgen);
    command.current_dir(here(".")).args(["--config", "cbindgen.toml", "--quiet"]);
    let fresh = output(&mut command)?;
    let path = here("include/bitstate.h");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if fresh != committed {
        return Err(format!("{} is stale: `{command:?} --output {0}`", path.display()).into());
    }
    Ok(Completion::Completed)
}

#[derive(Clone, Copy)]
enum Library {
    Dynamic,
    Static,
}

/// A C program, built with all warnings, or why there is none.
fn compile(source: &str, library: Library) -> Result<(tempfile::TempDir, PathBuf), String> {
    output(Command::new("cc").arg("--version")).map_err(|_| "no C compiler".to_string())?;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let mut cc = Command::new("cc");
    cc.args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-D_POSIX_C_SOURCE=200809L", "-O1", "-o"]);
    cc.arg(&program).arg(here(source)).arg("-I").arg(here("include"));
    match library {
        Library::Dynamic => {
            cc.arg("-L").arg(libraries()).arg("-lbitstate_c").arg("-pthread");
            cc.arg(format!("-Wl,-rpath,{}", libraries().display()));
        }
        Library::Static => drop(cc.arg(libraries().join("libbitstate_c.a")).args(["-pthread", "-lm", "-ldl"])),
    }
    let built = output(&mut cc);
    built.unwrap_or_else(|said| panic!("{said}"));
    Ok((folder, program))
}

fn c_story(library: Library) -> Result<Completion, Failed> {
    let (_folder, program) = match compile("examples/story.c", library) {
        Ok(compiled) => compiled,
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    for seed in [1, 42] {
        let told = output(Command::new(&program).args([&model(), &seed.to_string(), "200"]))?;
        assert_eq!(told, story(seed, 200));
    }
    let refused = output(Command::new(&program).args(["none.bits", "1", "2"])).unwrap_err();
    assert!(refused.contains("none.bits"), "{refused}");
    Ok(Completion::Completed)
}

fn misuse() -> Result<Completion, Failed> {
    let (_folder, program) = match compile("tests/misuse.c", Library::Dynamic) {
        Ok(compiled) => compiled,
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    let said = output(Command::new(&program).arg(model()))?;
    assert_eq!(said, "all misuse was rejected\n");
    Ok(Completion::Completed)
}

fn cpp() -> Result<Completion, Failed> {
    if output(Command::new("c++").arg("--version")).is_err() {
        return Ok(Completion::ignored_with("no C++ compiler"));
    }
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("a.cpp");
    std::fs::write(&source, "#include \"bitstate.h\"\nint main() { return bitstate_abi_version() == 0; }\n")?;
    let program = folder.path().join("a");
    let mut build = Command::new("c++");
    build.args(["-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(source).arg("-I").arg(here("include"));
    build.arg("-L").arg(libraries()).arg("-lbitstate_c").arg(format!("-Wl,-rpath,{}", libraries().display()));
    output(&mut build)?;
    output(&mut Command::new(program))?;
    Ok(Completion::Completed)
}

fn python() -> Result<Completion, Failed> {
    if output(Command::new("python3").arg("--version")).is_err() {
        return Ok(Completion::ignored_with("no python3"));
    }
    let library =
        libraries().join(format!("{}bitstate_c{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX));
    let tell = |model: &str| {
        output(Command::new("python3").arg(here("examples/story.py")).arg(&library).args([model, "42", "200"]))
    };
    assert_eq!(tell(&model())?, story(42, 200));
    let refused = tell("none.bits").unwrap_err();
    assert!(refused.contains("RuntimeError") && refused.contains("none.bits"), "{refused}");
    Ok(Completion::Completed)
}
