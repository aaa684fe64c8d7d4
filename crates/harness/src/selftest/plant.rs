//! A runner with a fault: it asks the real one and changes what that says.

use super::Bench;
use crate::error::Error;
use crate::process::{Limits, run as run_process};
use crate::runner::Runner;
use crate::workspace::make_folder;
use bitstate_protocol::{Answer, AnswerWriter, Event, Request};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What is planted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plant {
    /// Every time is this many times as long.
    Slower(f64),
    /// One token of every stream is another one.
    FlippedToken,
    /// The plain kernels run, whatever was asked for, and say so.
    FallBack,
    /// The answer ends before its closing line.
    Cut,
}

impl Plant {
    fn to_text(self) -> String {
        match self {
            Plant::Slower(times) => format!("slower={times}"),
            Plant::FlippedToken => "flipped-token".into(),
            Plant::FallBack => "fall-back".into(),
            Plant::Cut => "cut".into(),
        }
    }

    /// Reads what [`planted`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "flipped-token" => Some(Plant::FlippedToken),
            "fall-back" => Some(Plant::FallBack),
            "cut" => Some(Plant::Cut),
            other => other.strip_prefix("slower=")?.parse().ok().map(Plant::Slower),
        }
    }
}

/// A runner that is `program` with a fault, and the folder that it lies in.
pub(super) fn planted(bench: &Bench, plant: Plant, program: &Path) -> Result<(tempfile::TempDir, Runner), Error> {
    let scratch = bench.workspace.scratch();
    make_folder(&scratch)?;
    let folder = tempfile::tempdir_in(&scratch).map_err(Error::io("make a folder in", &scratch))?;
    let path = folder.path().join("runner.sh");
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let (planter, program) = (quoted(&bench.planter), quoted(program));
    let script = format!("#!/bin/sh\nexec {planter} plant {} {program} \"$@\"\n", plant.to_text());
    std::fs::write(&path, script).map_err(Error::io("write", &path))?;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).map_err(Error::io("make executable", &path))?;
    Ok((folder, Runner::Native { program: path }))
}

/// Runs the real program on a request and returns its answer with the fault, and its exit status.
///
/// # Errors
/// If the real program cannot be run or does not answer, which is no fault that anyone planted.
pub fn run(plant: Plant, program: &str, arguments: &[String], request: &str) -> Result<(String, i32), String> {
    let mut request = request.to_string();
    if plant == Plant::FallBack {
        let asked = Request::parse(&request).map_err(|error| error.to_string())?;
        request = Request { variant: "generic".into(), ..asked }.to_text();
    }
    let limits = Limits { time: Duration::from_secs(600), output: 256 << 20 };
    let output = run_process(Command::new(program).args(arguments), request.as_bytes(), limits);
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    let answer = Answer::parse(&text).map_err(|error| format!("{error}; {}", output.stderr))?;
    let mut out = String::new();
    let mut writer = AnswerWriter::new(|line| out.push_str(line), &answer.header);
    for mut event in answer.events {
        alter(plant, &mut event);
        writer.event(&event);
    }
    writer.finish();
    if plant == Plant::Cut {
        out.truncate(out.trim_end().rfind('\n').unwrap_or(0));
    }
    Ok((out, output.status.code().unwrap_or(2)))
}

fn alter(plant: Plant, event: &mut Event) {
    match (plant, event) {
        (Plant::Slower(times), Event::Metric(metric)) if metric.name == "time" => {
            metric.value = (metric.value as f64 * times).round() as u64;
        }
        (Plant::FlippedToken, Event::Stream(stream)) => {
            if let Some(token) = stream.tokens.last_mut() {
                *token ^= 1;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Plant;

    #[test]
    fn plants_come_back_as_they_went() {
        for plant in [Plant::Slower(1.05), Plant::FlippedToken, Plant::FallBack, Plant::Cut] {
            assert_eq!(Plant::parse(&plant.to_text()), Some(plant));
        }
        assert_eq!(Plant::parse("slower=fast"), None);
    }
}
