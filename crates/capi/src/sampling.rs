//! How tokens are chosen.

use crate::BitstateModel;
use crate::error::{BitstateStatus, Failure, call};
use crate::handles;
use crate::memory::{self, Out};
use bitstate::Sampling;

/// How tokens are chosen. Take it from `bitstate_sampling_default` and change what is to be otherwise.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct BitstateSampling {
    /// `sizeof(BitstateSampling)`: what the caller was built for.
    pub size: usize,
    /// Seed of the generator.
    pub seed: u64,
    /// Divides the logits; 0 always takes the largest.
    pub temperature: f32,
    /// Share of the probability that is kept of the likeliest, in (0, 1].
    pub top_p: f32,
    /// What is less likely than this share of the likeliest is left out, in [0, 1].
    pub min_p: f32,
    /// Share of the probability that is kept of what is nearest to the mean surprise, in (0, 1].
    pub typical_p: f32,
    /// Penalty on tokens of the whole text, from 1 (none) on.
    pub penalty: f32,
    /// Penalty on the last tokens, above 0; 1 is none.
    pub repetition: f32,
    /// Taken from the logit of a token that is among the last ones; 0 is none.
    pub presence: f32,
    /// Taken from the logit of a token as often as it is among the last ones; 0 is none.
    pub frequency: f32,
    /// How many of the largest logits are kept; 0 keeps all.
    pub top_k: u32,
    /// How many tokens the last ones are, at most 65536.
    pub window: u32,
}

impl BitstateSampling {
    fn of(sampling: &Sampling) -> Self {
        BitstateSampling {
            size: size_of::<Self>(),
            seed: sampling.seed,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            min_p: sampling.min_p,
            typical_p: sampling.typical_p,
            penalty: sampling.penalty,
            repetition: sampling.repetition,
            presence: sampling.presence,
            frequency: sampling.frequency,
            top_k: sampling.top_k,
            window: sampling.window,
        }
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            seed: self.seed,
            temperature: self.temperature,
            top_p: self.top_p,
            min_p: self.min_p,
            typical_p: self.typical_p,
            penalty: self.penalty,
            repetition: self.repetition,
            presence: self.presence,
            frequency: self.frequency,
            top_k: self.top_k,
            window: self.window,
            ..Sampling::greedy()
        }
    }
}

/// What the caller gave; the model's own with seed 0 where it is null.
///
/// # Safety
/// `sampling` is one, or null.
pub(crate) unsafe fn given(sampling: *const BitstateSampling, model: &bitstate::Model) -> Result<Sampling, Failure> {
    // Only the size is looked at before it is known to be this one.
    // SAFETY: the caller's word; the size is the first field.
    let Some(&size) = (unsafe { memory::read_one(sampling.cast::<usize>()) })? else { return Ok(model.sampling(0)) };
    check_size(size)?;
    // SAFETY: the caller's word, and it is of this size.
    let given = unsafe { memory::read_one(sampling) }?;
    Ok(given.map_or_else(|| model.sampling(0), BitstateSampling::sampling))
}

fn check_size(size: usize) -> Result<(), Failure> {
    let expected = size_of::<BitstateSampling>();
    if size == expected {
        return Ok(());
    }
    let message = format!("BitstateSampling.size is {size}, and this library has {expected}: set it to its sizeof");
    Err(Failure::new(BitstateStatus::Size, message))
}

/// The model's own way of choosing tokens, with this seed. `sampling->size` must be `sizeof(BitstateSampling)` before.
///
/// # Safety
/// `sampling` is room for one whose size is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_sampling_default(
    model: BitstateModel,
    seed: u64,
    sampling: *mut BitstateSampling,
) -> i32 {
    call(|| {
        // SAFETY: the caller's word.
        let size = unsafe { memory::read(sampling.cast_const().cast::<usize>(), 1) }?;
        size.iter().try_for_each(|&size| check_size(size))?;
        let model = handles::model(model)?;
        // SAFETY: the caller's word, and it is of this size.
        unsafe { Out::new(sampling, 1) }?.write(BitstateSampling::of(&model.sampling(seed)))?;
        Ok(BitstateStatus::Ok)
    })
}
