//! What a session remembers.

use crate::activations::Activations;
use crate::digest::digest;
use crate::error::RestoreError;
use crate::memory::{LayerMemory, Memory, Sessions};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{Kernels, Variant};
use bitstate_model::Config;

const MAGIC: [u8; 4] = *b"BSST";
/// Version of the saved form.
pub(crate) const VERSION: u32 = 1;
/// Magic, version, model digest; then the values, then a digest of all before it.
const HEADER: usize = 16;
const TRAILER: usize = 8;

/// All that a session remembers, of one size however long the text: for every layer the previous token's input of
/// the time mix and of the channel mix (D each) and the WKV state (H × S × S).
#[derive(Clone)]
pub struct State {
    pub(crate) memory: Memory,
    digest: u64,
    variant: Variant,
    pub(crate) activations: Activations,
    /// What the last token came to, D: the residual stream that the head reads. A copy, because the activations may
    /// belong to many sessions' tokens.
    pub(crate) residual: Vec<f32>,
    /// Whether there was such a token: not in a new, reset or restored state.
    has_residual: bool,
}

/// What a state remembers and what its last token came to, without the room to work in: a place to come back to. It
/// belongs to the model, not to a variant.
#[derive(Clone)]
pub struct Checkpoint {
    memory: Memory,
    residual: Option<Vec<f32>>,
    digest: u64,
}

/// A session for each row: the first, then the others.
impl Sessions for (&mut Memory, &mut [State]) {
    fn layer_mut(&mut self, row: usize, layer: usize) -> LayerMemory<'_> {
        let memory = if row == 0 { &mut *self.0 } else { &mut self.1[row - 1].memory };
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

    /// Whether the head has something to read.
    pub(crate) fn has_residual(&self) -> bool {
        self.has_residual
    }

    /// The session's token has come to `residual`.
    pub(crate) fn take_residual(&mut self, residual: &[f32]) {
        self.residual.copy_from_slice(residual);
        self.has_residual = true;
    }

    /// The session's token was in that row of its own activations.
    pub(crate) fn take_own_residual(&mut self, row: usize) {
        self.residual.copy_from_slice(self.activations.residual(row));
        self.has_residual = true;
    }

    /// Forgets everything, as a new session.
    pub fn reset(&mut self) {
        self.memory.values.fill(0.0);
        self.has_residual = false;
    }

    /// What the last token came to, D values, which logits are worked out from; `None` in a state that was made, reset or
    /// restored without one.
    pub fn residual(&self) -> Option<&[f32]> {
        self.has_residual.then_some(&self.residual[..])
    }

    /// The WKV state of a layer, H × S × S: for every head a matrix of what it remembers, row by row. `None` of a layer that the
    /// model does not have.
    pub fn wkv(&self, layer: usize) -> Option<&[f32]> {
        self.memory.wkv(layer)
    }

    /// Gives a restored state its residual back, so that it has logits without another token.
    ///
    /// # Errors
    /// Where there are not D values; nothing has changed then.
    pub fn set_residual(&mut self, residual: &[f32]) -> Result<(), RestoreError> {
        let (found, expected) = (residual.len(), self.residual.len());
        if found != expected {
            return Err(RestoreError::Residual { found, expected });
        }
        self.take_residual(residual);
        Ok(())
    }

    /// A place to come back to by [`return_to`](State::return_to).
    pub fn checkpoint(&self) -> Checkpoint {
        let residual = self.residual().map(<[f32]>::to_vec);
        Checkpoint { memory: self.memory.clone(), residual, digest: self.digest }
    }

    /// Goes back to a checkpoint of the same model; `false`, and nothing has changed, where it is another model's.
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

    /// The saved form: `BSST`, u32 version, u64 digest of the model file, the values as f32, u64 XXH64 of all
    /// before it, everything little-endian. A state saved on one target goes on bit for bit on any other; it has logits
    /// again once it has seen the next token.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.saved_len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.digest.to_le_bytes());
        bytes.extend(self.memory.values.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(digest(&bytes).to_le_bytes());
        bytes
    }

    /// Takes over a saved form; on an error nothing has changed.
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
