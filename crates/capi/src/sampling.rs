//! Sampling parameters.

use crate::BitstateModel;
use crate::error::{BitstateStatus, Failure, call};
use crate::handles;
use crate::memory::{self, Out};
use bitstate::Sampling;

/// Sampling parameters. Initialise it with `bitstate_sampling_default`, then change fields.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct BitstateSampling {
    /// `sizeof(BitstateSampling)` in the caller's build.
    pub size: usize,
    /// Seed of the generator.
    pub seed: u64,
    /// Divides the logits; 0 always chooses the largest.
    pub temperature: f32,
    /// Probability mass of the likeliest tokens to keep, in (0, 1].
    pub top_p: f32,
    /// Removes tokens less likely than this fraction of the likeliest one, in [0, 1].
    pub min_p: f32,
    /// Probability mass to keep of the tokens nearest to the mean surprise, in (0, 1].
    pub typical_p: f32,
    /// Penalty on tokens of the whole text, at least 1; 1 disables it.
    pub penalty: f32,
    /// Penalty on the last `window` tokens, above 0; 1 disables it.
    pub repetition: f32,
    /// Subtracted from the logit of a token among the last `window` tokens; 0 disables it.
    pub presence: f32,
    /// Subtracted from the logit of a token for each occurrence among the last `window` tokens; 0 disables it.
    pub frequency: f32,
    /// Number of largest logits to keep; 0 keeps all.
    pub top_k: u32,
    /// Number of last tokens that these penalties consider, at most 65536.
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

/// The caller's parameters; the model's defaults with seed 0 if null.
///
/// # Safety
/// `sampling` is one, or null.
pub(crate) unsafe fn given(sampling: *const BitstateSampling, model: &bitstate::Model) -> Result<Sampling, Failure> {
    // Reads only the size until it is known to be correct.
    // SAFETY: guaranteed by the caller; the size is the first field.
    let Some(&size) = (unsafe { memory::read_one(sampling.cast::<usize>()) })? else { return Ok(model.sampling(0)) };
    check_size(size)?;
    // SAFETY: guaranteed by the caller, and the size is correct.
    let given = unsafe { memory::read_one(sampling) }?;
    Ok(given.map_or_else(|| model.sampling(0), BitstateSampling::sampling))
}

fn check_size(size: usize) -> Result<(), Failure> {
    let expected = size_of::<BitstateSampling>();
    if size == expected {
        return Ok(());
    }
    let message =
        format!("BitstateSampling.size is {size}, this library expects {expected}: set it to sizeof(BitstateSampling)");
    Err(Failure::new(BitstateStatus::Size, message))
}

/// The model's default sampling parameters, with this seed. `sampling->size` must be set to `sizeof(BitstateSampling)`.
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
        // SAFETY: guaranteed by the caller.
        let size = unsafe { memory::read(sampling.cast_const().cast::<usize>(), 1) }?;
        size.iter().try_for_each(|&size| check_size(size))?;
        let model = handles::model(model)?;
        // SAFETY: guaranteed by the caller, and the size is correct.
        unsafe { Out::new(sampling, 1) }?.write(BitstateSampling::of(&model.sampling(seed)))?;
        Ok(BitstateStatus::Ok)
    })
}
