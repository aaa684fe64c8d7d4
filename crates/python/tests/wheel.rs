//! The Python package as a wheel that is built and installed here. If a tool is missing, the tests are ignored with the reason.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate::{Model, Stop};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = vec![
        Trial::ignorable_test("the_wheel_matches_the_library", wheel),
        Trial::ignorable_test("the_type_stubs_match_the_package", stubs),
    ];
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The output of a program, or why it failed.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// A virtual environment with the tools, created once, and the wheel, rebuilt and reinstalled; or why there is none.
fn environment() -> &'static Result<PathBuf, String> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let wanted = std::fs::read_to_string(here("tests/requirements.txt")).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
        let (done, bin, wheels) = (folder.join("installed.txt"), folder.join("bin"), folder.join("wheels"));
        let short = |said: String| said.trim().lines().last().unwrap_or_default().to_string();
        let pip = || {
            let mut pip = Command::new(bin.join("python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            pip
        };
        if !std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
            output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
                .map_err(|said| format!("no virtual environment (python3-venv): {}", short(said)))?;
            output(pip().arg("--requirement").arg(here("tests/requirements.txt")))
                .map_err(|said| format!("pip cannot install {}: {}", wanted.replace('\n', " "), short(said)))?;
            std::fs::write(&done, &wanted).unwrap();
        }
        let _ = std::fs::remove_dir_all(&wheels);
        let mut maturin = Command::new(bin.join("maturin"));
        maturin.args(["build", "--release", "--quiet", "--skip-auditwheel", "--offline", "--manifest-path"]);
        maturin.arg(here("Cargo.toml")).arg("--out").arg(&wheels).env("VIRTUAL_ENV", &folder);
        // Not a tool that is missing: a wheel that does not build is a failure.
        output(&mut maturin).unwrap_or_else(|said| panic!("the wheel does not build: {said}"));
        let wheel = std::fs::read_dir(&wheels).unwrap().next().unwrap().unwrap().path();
        assert!(wheel.to_str().unwrap().contains("-abi3-"), "{wheel:?} is for only one version of Python");
        output(pip().args(["--force-reinstall", "--no-deps", "--no-index"]).arg(&wheel))
            .unwrap_or_else(|said| panic!("the wheel cannot be installed: {said}"));
        Ok(bin)
    })
}

fn wheel() -> Result<Completion, Failed> {
    let bin = match environment() {
        Ok(bin) => bin,
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    let path = here("../../golden/models/stories-byte/model.bits");
    let folder = tempfile::tempdir()?;
    let mut python = Command::new(bin.join("python"));
    let said = output(python.current_dir(folder.path()).arg(here("tests/check.py")).arg(&path))?;
    assert!(said.contains("all is as expected"), "{said}");
    let model = Model::open(&path)?;
    let mut session = model.session(model.sampling(42))?;
    session.feed_text("Once upon a time")?;
    let story: String = session.text(Stop::new().max_tokens(120)).collect::<Result<_, _>>()?;
    // The repr of the text in Python.
    let shown = if story.contains('\'') { format!("\"{story}\"") } else { format!("'{story}'") };
    assert!(said.contains(&shown.replace('\n', "\\n")), "{shown}: {said}");
    Ok(Completion::Completed)
}

fn stubs() -> Result<Completion, Failed> {
    let bin = match environment() {
        Ok(bin) => bin,
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    let folder = tempfile::tempdir()?;
    let python = || {
        let mut python = Command::new(bin.join("python"));
        python.current_dir(folder.path());
        python
    };
    output(python().args(["-m", "mypy", "--strict"]).arg(here("tests/typed.py")))?;
    output(python().args(["-m", "mypy.stubtest", "bitstate", "--ignore-missing-stub"]))?;
    Ok(Completion::Completed)
}
