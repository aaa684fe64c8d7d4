//! Clients by others: OpenAI's for Python, curl, schemathesis, Prometheus' promtool. Each test starts its own server; if a tool
//! is missing, it is ignored with the reason. `BITSTATE_SCHEMATHESIS_EXAMPLES` is the number of examples per operation.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http/support.rs"]
mod support;

use bitstate_serve::{Config, Key, Limits};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use support::Running;

const KEY: &str = "a-key-of-some-length";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = vec![
        Trial::ignorable_test("the_openai_client_for_python", openai),
        Trial::ignorable_test("curl", curl),
        Trial::ignorable_test("schemathesis_finds_nothing", schemathesis),
        Trial::ignorable_test("promtool_reads_the_metrics", promtool),
    ];
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn server() -> Running {
    let key = Some(Key::new(KEY).unwrap());
    Running::start(Config { key, limits: Limits { slots: 8, ..Limits::default() }, ..Config::default() })
}

/// The output of a program, or why it failed.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// A virtual environment with the packages, created once, or why there is none.
fn environment() -> &'static Result<PathBuf, String> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/requirements.txt");
        let wanted = std::fs::read_to_string(&requirements).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
        let done = folder.join("installed.txt");
        let bin = folder.join("bin");
        if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
            return Ok(bin);
        }
        let short = |said: String| said.trim().lines().last().unwrap_or_default().to_string();
        output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
            .map_err(|said| format!("no virtual environment (python3-venv): {}", short(said)))?;
        let mut pip = Command::new(bin.join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements);
        output(&mut pip)
            .map_err(|said| format!("pip cannot install {}: {}", wanted.replace('\n', " "), short(said)))?;
        std::fs::write(done, wanted).unwrap();
        Ok(bin)
    })
}

fn openai() -> Result<Completion, Failed> {
    let bin = match environment() {
        Ok(bin) => bin,
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    let server = server();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/calls.py");
    let said = output(Command::new(bin.join("python")).arg(script).arg(format!("http://{}/v1", server.addr)))?;
    assert!(said.contains("all calls are as expected"), "{said}");
    // The abandoned stream no longer has a slot.
    server.wait_for_taken(0);
    Ok(Completion::Completed)
}

fn curl() -> Result<Completion, Failed> {
    if let Err(reason) = output(Command::new("curl").arg("--version")) {
        return Ok(Completion::ignored_with(format!("no curl: {reason}")));
    }
    let server = server();
    let call = |more: &[&str], path: &str| {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--header",
            &format!("authorization: Bearer {KEY}"),
        ]);
        output(curl.args(more).arg(format!("http://{}{path}", server.addr)))
    };
    let json = ["--header", "content-type: application/json", "--data"];
    let body = r#"{"prompt": "Once upon a time", "max_tokens": 20, "seed": 1}"#;
    let whole: serde_json::Value = serde_json::from_str(&call(&[&json[..], &[body]].concat(), "/v1/completions")?)?;
    let streamed = body.replace('{', r#"{"stream": true, "#);
    let streamed = call(&[&["--no-buffer"], &json[..], &[&streamed]].concat(), "/v1/completions")?;
    let (chunks, done) = support::events(&streamed);
    assert!(done);
    assert_eq!(chunks.last().unwrap()["choices"][0]["bitstate"], whole["choices"][0]["bitstate"]);
    // By default curl sends a form, as any web page could.
    let refused: serde_json::Value = serde_json::from_str(&call(&["--data", body], "/v1/completions")?)?;
    assert_eq!(refused["error"]["code"], "content_type");
    // curl waits for `100 Continue` before a large body.
    let large = format!(r#"{{"prompt": "{}", "max_tokens": 1}}"#, "x".repeat(10_000));
    let large: serde_json::Value = serde_json::from_str(&call(&[&json[..], &[&large]].concat(), "/v1/completions")?)?;
    assert_eq!(large["usage"]["prompt_tokens"], 10_000);
    assert!(call(&["--http1.0"], "/health")?.contains("ok"));
    Ok(Completion::Completed)
}

fn schemathesis() -> Result<Completion, Failed> {
    let bin = match environment() {
        Ok(bin) => bin,
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    let server = server();
    let folder = tempfile::tempdir()?;
    let examples = std::env::var("BITSTATE_SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "60".into());
    let mut command = Command::new(bin.join("schemathesis"));
    command.current_dir(folder.path()).env("PYTHONUNBUFFERED", "1").args([
        "run",
        &format!("http://{}/openapi.json", server.addr),
        "--header",
        &format!("Authorization: Bearer {KEY}"),
        // Constraints that the description cannot express, such as the vocabulary, are rejected in requests of the right shape.
        "--exclude-checks",
        "positive_data_acceptance",
        "--max-examples",
        &examples,
        "--seed",
        "1",
        "--request-timeout",
        "60",
        "--workers",
        "2",
        "--no-color",
    ]);
    let said = output(&mut command)?;
    assert!(said.contains("No issues found"), "{said}");
    let metrics = server.send("GET", "/metrics", &[("authorization", &format!("Bearer {KEY}"))], "").text();
    assert!(metrics.contains("bitstate_engine_panics_total 0\n"), "{metrics}");
    Ok(Completion::Completed)
}

fn promtool() -> Result<Completion, Failed> {
    if let Err(reason) = output(Command::new("promtool").arg("--version")) {
        return Ok(Completion::ignored_with(format!("no promtool, which is in Debian's package prometheus: {reason}")));
    }
    let server = server();
    let metrics = server.send("GET", "/metrics", &[("authorization", &format!("Bearer {KEY}"))], "").text();
    let mut command = Command::new("promtool");
    let mut child = command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().unwrap().write_all(metrics.as_bytes())?;
    let output = child.wait_with_output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(Completion::Completed)
}
