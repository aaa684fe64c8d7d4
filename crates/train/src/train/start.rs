//! What a run starts with: its position, parameters and teacher.

use crate::checkpoint::{Checkpoint, Position};
use crate::config::{DistillConfig, TrainConfig};
use crate::data::Data;
use crate::error::Error;
use crate::kernels::loss::Distill;
use crate::net::Net;
use crate::params::Params;
use std::path::Path;

/// The initial position of a run of `config`.
pub(super) fn beginning(config: &TrainConfig, data: &Data) -> Result<Position, Error> {
    let tokens = data.tokenizer.vocab_size();
    let shapes = config.model.shapes(tokens, config.longest())?;
    if data.tokenizer.is_byte() && shapes.vocab_size != tokens {
        return Err(Error::Refused(format!(
            "model.vocab_size is {}, and a model of bytes has {tokens}: leave it out",
            shapes.vocab_size
        )));
    }
    Ok(Position {
        shapes: Position::shapes_of(&shapes),
        bitnet: config.model.bitnet,
        tokenizer: data.tokenizer_name(),
        end: data.tokenizer.ends().first().copied(),
        data: format!("{:016x}", data.train.digest()),
        step: 0,
        tokens: 0,
        windows: [0, 0],
        best: None,
        seed: config.seed,
    })
}

/// The parameters of another run, of a model of the same shapes except for the sequence length.
pub(super) fn start_from(path: &Path, run: &Position) -> Result<Params, Error> {
    let Checkpoint { position, params, .. } = Checkpoint::load(path)?;
    let mut wanted =
        Position { bitnet: position.bitnet, data: position.data.clone(), seed: position.seed, ..run.clone() };
    wanted.shapes[6] = position.shapes[6];
    match position.difference(&wanted) {
        Some(difference) => {
            Err(Error::content(path, format_args!("no start for what the configuration says: {difference}")))
        }
        None => Ok(params),
    }
}

/// The teacher of a run, which must share the student's tokenizer.
pub(super) fn teacher(distill: &DistillConfig, student: &Position) -> Result<(Net, Distill), Error> {
    let Checkpoint { position, params, .. } = Checkpoint::load(&distill.teacher)?;
    if (position.shapes[0], &position.tokenizer) != (student.shapes[0], &student.tokenizer) {
        return Err(Error::content(
            &distill.teacher,
            format_args!(
                "the teacher has {} tokens of tokenizer {}, the student {} of {}: a teacher must share the tokenizer",
                position.shapes[0], position.tokenizer, student.shapes[0], student.tokenizer
            ),
        ));
    }
    let how = Distill { alpha: distill.alpha, temperature: distill.temperature };
    Ok((Net::new(&position.config(), &params, position.bitnet, false), how))
}
