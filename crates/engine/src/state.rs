//! What a session remembers.

use crate::activations::Activations;
use crate::digest::digest;
use crate::error::RestoreError;
use crate::memory::{LayerMemory, Memory, Sessions};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{Kernels, Variant};
use bitstate_model::Config;
use core::borrow::BorrowMut;

const MAGIC: [u8; 4] = *b"BSST";
/// Version of the saved form.
pub(crate) const VERSION: u32 = 1;
/// Magic, version, model digest; then the values, then a digest of everything before it.
const HEADER: usize = 16;
const TRAILER: usize = 8;

/// Everything a session remembers, in a fixed size for any length of text: for every layer the previous token's input
/// of the time mix and of the channel mix (D each) and the WKV state (H × S × S).
#[derive(Clone)]
pub struct State {
    pub(crate) memory: Memory,
    digest: u64,
    variant: Variant,
    pub(crate) activations: Activations,
    /// The result of the last token, D values: the residual stream that the head reads. A copy, because the activations
    /// may belong to tokens of many sessions.
    pub(crate) residual: Vec<f32>,
    /// Whether there was a last token: not in a new, reset or restored state.
    has_residual: bool,
}

/// What a state remembers and the result of its last token, without the work buffers: a point to return to. It belongs
/// to the model, not to a variant.
#[derive(Clone)]
pub struct Checkpoint {
    memory: Memory,
    residual: Option<Vec<f32>>,
    digest: u64,
}

/// One session per row: the first, then the others.
impl<S: BorrowMut<State>> Sessions for (&mut Memory, &mut [S]) {
    fn layer_mut(&mut self, row: usize, layer: usize) -> LayerMemory<'_> {
        let memory = if row == 0 { &mut *self.0 } else { &mut self.1[row - 1].borrow_mut().memory };
        memory.layer_mut(layer)
    }
}

impl State {
    pub(crate) fn new(config: &Config, kernels: Kernels, digest: u64) -> Self {
        State {
            memory: Memory::new(config),
            digest,
            variant: kernels.variant(),
            activations: Activations::new(config, kernels),
            residual: vec![0.0; config.n_embd],
            has_residual: false,
        }
    }

    pub(crate) fn is_of(&self, digest: u64, variant: Variant) -> bool {
        self.digest == digest && self.variant == variant
    }

    /// Whether there is an input for the head.
    pub(crate) fn has_residual(&self) -> bool {
        self.has_residual
    }

    /// Stores the result of the session's token.
    pub(crate) fn take_residual(&mut self, residual: &[f32]) {
        self.residual.copy_from_slice(residual);
        self.has_residual = true;
    }

    /// Stores the result of the session's token from that row of its own activations.
    pub(crate) fn take_own_residual(&mut self, row: usize) {
        self.residual.copy_from_slice(self.activations.residual(row));
        self.has_residual = true;
    }

    /// Forgets everything, like a new session.
    pub fn reset(&mut self) {
        self.memory.values.fill(0.0);
        self.has_residual = false;
    }

    /// The result of the last token, D values, from which logits are computed; `None` in a state that was created,
    /// reset or restored without one.
    pub fn residual(&self) -> Option<&[f32]> {
        self.has_residual.then_some(&self.residual[..])
    }

    /// The WKV state of a layer, H × S × S: for every head a matrix of what it remembers, row by row. `None` of a layer that the
    /// model does not have.
    pub fn wkv(&self, layer: usize) -> Option<&[f32]> {
        self.memory.wkv(layer)
    }

    /// Sets the residual of a restored state, so that it has logits without another token.
    ///
    /// # Errors
    /// If there are not D values; then nothing has changed.
    pub fn set_residual(&mut self, residual: &[f32]) -> Result<(), RestoreError> {
        let (found, expected) = (residual.len(), self.residual.len());
        if found != expected {
            return Err(RestoreError::Residual { found, expected });
        }
        self.take_residual(residual);
        Ok(())
    }

    /// A point to return to with [`return_to`](State::return_to).
    pub fn checkpoint(&self) -> Checkpoint {
        let residual = self.residual().map(<[f32]>::to_vec);
        Checkpoint { memory: self.memory.clone(), residual, digest: self.digest }
    }

    /// Returns to a checkpoint of the same model; if it belongs to another model, returns `false` and changes nothing.
    pub fn return_to(&mut self, checkpoint: &Checkpoint) -> bool {
        if checkpoint.digest != self.digest {
            return false;
        }
        self.memory.values.copy_from_slice(&checkpoint.memory.values);
        self.has_residual = false;
        if let Some(residual) = &checkpoint.residual {
            self.take_residual(residual);
        }
        true
    }

    /// Number of bytes of the saved form.
    pub fn saved_len(&self) -> usize {
        HEADER + self.memory.values.len() * 4 + TRAILER
    }

    /// The saved form: `BSST`, u32 version, u64 digest of the model file, the values as f32, u64 XXH64 of everything
    /// before it, all little-endian. A state saved on one target continues bit for bit on any other; it has logits
    /// again after the next token.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.saved_len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.digest.to_le_bytes());
        bytes.extend(self.memory.values.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(digest(&bytes).to_le_bytes());
        bytes
    }

    /// Restores a saved form; on an error nothing has changed.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(if bytes.starts_with(&MAGIC) { self.wrong_length(bytes) } else { RestoreError::Magic });
        };
        let [m0, m1, m2, m3, v0, v1, v2, v3, model @ ..] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(RestoreError::Magic);
        }
        let found = u32::from_le_bytes([v0, v1, v2, v3]);
        if found != VERSION {
            return Err(RestoreError::Version { found });
        }
        let found = u64::from_le_bytes(model);
        if found != self.digest {
            return Err(RestoreError::Model { found, expected: self.digest });
        }
        let Some((values, said)) = rest.split_last_chunk::<TRAILER>() else {
            return Err(self.wrong_length(bytes));
        };
        let (values, left) = values.as_chunks::<4>();
        if values.len() != self.memory.values.len() || !left.is_empty() {
            return Err(self.wrong_length(bytes));
        }
        if u64::from_le_bytes(*said) != digest(&bytes[..bytes.len() - TRAILER]) {
            return Err(RestoreError::Damaged);
        }
        for (value, &bytes) in self.memory.values.iter_mut().zip(values) {
            *value = f32::from_le_bytes(bytes);
        }
        Ok(())
    }

    fn wrong_length(&self, bytes: &[u8]) -> RestoreError {
        RestoreError::Length { found: bytes.len(), expected: self.saved_len() }
    }
}
