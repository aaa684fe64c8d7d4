//! A runner with a fault: it runs the real one and alters the answer.

use super::Bench;
use crate::targets::kinds::native::Program;
use crate::targets::runner::Runner;
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use crate::workspace::process::{Limits, run as run_process};
use bitstate_protocol::{Answer, AnswerWriter, Digest, Event, Job, Request, Resume};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plant {
    /// Every time is multiplied by this factor.
    Slower(f64),
    /// One token of every stream is altered.
    FlippedToken,
    /// The plain kernels run instead of the requested ones, and the answer says so.
    FallBack,
    /// The answer lacks its closing line.
    Cut,
    /// One bit of every session is lost when it is resumed.
    LostBit,
    /// From one step on, every variant but the plain one computes something else.
    WrongStep(Spot),
}

/// A step of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Position, prompt included.
    pub position: u32,
    /// Layer.
    pub layer: u32,
    /// Name of the step.
    pub step: &'static str,
}

/// All steps of a forward pass, in order.
pub const STEPS: [&str; 13] =
    ["embedding", "tm.r", "tm.k", "tm.v", "tm.g", "tm.wkv", "tm.gn", "tm.o", "cm.k", "cm.r", "cm.v", "ln_f", "head"];

impl Spot {
    /// Whether this output is computed at or after the spot.
    fn reaches(self, position: u32, layer: u32, step: &str) -> bool {
        let order = |step: &str| STEPS.iter().position(|name| *name == step);
        (position, layer, order(step)) >= (self.position, self.layer, order(self.step))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (position, layer, step) = (parts.next()?, parts.next()?, parts.next()?);
        let step = STEPS.into_iter().find(|name| *name == step)?;
        Some(Spot { position: position.parse().ok()?, layer: layer.parse().ok()?, step })
    }
}

impl Plant {
    fn to_text(self) -> String {
        match self {
            Plant::Slower(times) => format!("slower={times}"),
            Plant::FlippedToken => "flipped-token".into(),
            Plant::FallBack => "fall-back".into(),
            Plant::Cut => "cut".into(),
            Plant::LostBit => "lost-bit".into(),
            Plant::WrongStep(Spot { position, layer, step }) => format!("wrong-step={position}:{layer}:{step}"),
        }
    }

    /// Parses the argument that a planted runner is started with.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "flipped-token" => Some(Plant::FlippedToken),
            "fall-back" => Some(Plant::FallBack),
            "cut" => Some(Plant::Cut),
            "lost-bit" => Some(Plant::LostBit),
            other => match other.split_once('=')? {
                ("slower", times) => times.parse().ok().map(Plant::Slower),
                ("wrong-step", spot) => Spot::parse(spot).map(Plant::WrongStep),
                _ => None,
            },
        }
    }
}

/// A runner that is `program` with a fault, and its temporary folder.
pub(super) fn planted(bench: &Bench, plant: Plant, program: &Path) -> Result<(tempfile::TempDir, Runner), Error> {
    let folder = bench.workspace.temporary_folder()?;
    let path = folder.path().join("runner.sh");
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let (planter, program) = (quoted(&bench.planter), quoted(program));
    let script = format!("#!/bin/sh\nexec {planter} plant {} {program} \"$@\"\n", plant.to_text());
    std::fs::write(&path, script).map_err(Error::io("write", &path))?;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).map_err(Error::io("make executable", &path))?;
    Ok((folder, Runner::new(Program(path))))
}

/// Runs the real program on a request and returns its altered answer and its exit status.
///
/// # Errors
/// If the real program cannot be run or gives no answer, which is not a planted fault.
pub fn run(plant: Plant, program: &str, arguments: &[String], request: &str) -> Result<(String, i32), String> {
    let mut request = request.to_string();
    let asked = Request::parse(&request).map_err(|error| error.to_string())?;
    if plant == Plant::FallBack {
        request = Request { variant: "generic".into(), ..asked.clone() }.to_text();
    }
    if plant == Plant::LostBit {
        let mut lossy = asked.clone();
        lossy.jobs.iter_mut().for_each(lose_bit);
        request = lossy.to_text();
    }
    let limits = Limits { time: Duration::from_secs(600), output: 256 << 20 };
    let output = run_process(command(program).args(arguments), request.as_bytes(), limits);
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    let answer = Answer::parse(&text).map_err(|error| format!("{error}; {}", output.stderr))?;
    let mut out = String::new();
    let mut writer = AnswerWriter::new(|line| out.push_str(line), &answer.header);
    for mut event in answer.events {
        alter(plant, &asked, &mut event);
        writer.event(&event);
    }
    writer.finish();
    if plant == Plant::Cut {
        out.truncate(out.trim_end().rfind('\n').unwrap_or(0));
    }
    Ok((out, output.status.code().unwrap_or(2)))
}

/// Flips the lowest bit of a value in the middle of the model's state in a session to resume, and makes the digests of
/// state and file right again: the last eight bytes of each, as `State::to_bytes` and the library's session files define
/// them. A file without a state stays as it is, so that the fault is not found.
fn lose_bit(job: &mut Job) {
    let Job::Resume(Resume { file, .. }) = job else { return };
    let Some(state) = state_of(file) else { return };
    // The values begin at a multiple of four bytes.
    let middle = state.start + state.len() / 8 * 4;
    file[middle] ^= 1;
    for end in [state.end, file.len()] {
        let start = if end == state.end { state.start } else { 0 };
        if let Some((body, digest)) = file[start..end].split_last_chunk_mut::<8>() {
            *digest = Digest::of(body).0.to_le_bytes();
        }
    }
}

/// Where a session file has the model's state: behind its first line, which has its length.
fn state_of(file: &[u8]) -> Option<Range<usize>> {
    let start = file.iter().position(|byte| *byte == b'\n')? + 1;
    let header: serde_json::Value = serde_json::from_slice(&file[..start]).ok()?;
    let length = usize::try_from(header.get("state")?.as_u64()?).ok()?;
    file.get(start..start.checked_add(length)?).filter(|state| state.starts_with(b"BSST"))?;
    Some(start..start + length)
}

fn alter(plant: Plant, asked: &Request, event: &mut Event) {
    match (plant, event) {
        (Plant::WrongStep(_), _) if asked.variant == "generic" => {}
        (Plant::WrongStep(spot), Event::Step { position, layer, step, digest, .. })
            if spot.reaches(*position, *layer, step) =>
        {
            digest.0 ^= 1;
        }
        (Plant::WrongStep(spot), Event::Stream(stream)) => {
            let prompt = asked.jobs.iter().find_map(|job| match job {
                Job::Stream(w) | Job::Bench(w) | Job::Profile(w) | Job::Parts(w) if w.case == stream.case => {
                    Some(w.prompt.len())
                }
                _ => None,
            });
            // The logits that choose the first token come from the last position of the prompt.
            let first = spot.position as usize + 1 - prompt.unwrap_or(1).min(spot.position as usize + 1);
            stream.digests.iter_mut().skip(first).for_each(|digest| digest.0 ^= 1);
        }
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
    use super::{Plant, STEPS, Spot};

    #[test]
    fn plants_survive_a_round_trip() {
        let spot = |step| Plant::WrongStep(Spot { position: 300, layer: 2, step });
        let plants = [Plant::Slower(1.05), Plant::FlippedToken, Plant::FallBack, Plant::Cut, Plant::LostBit];
        for plant in plants.into_iter().chain(STEPS.map(spot)) {
            assert_eq!(Plant::parse(&plant.to_text()), Some(plant));
        }
        for text in ["slower=fast", "wrong-step=1:2", "wrong-step=1:2:tm.q", "quicker=2"] {
            assert_eq!(Plant::parse(text), None);
        }
    }
}
