//! The memory of a session, layer by layer.

use bitstate_model::{AlignedFloats, Config};

/// The remembered values.
#[derive(Clone)]
pub(crate) struct Memory {
    /// L × (D + D + H·S·S): time shift, channel shift, WKV.
    pub values: AlignedFloats,
    /// D, which determines a layer's parts.
    n_embd: usize,
    per_layer: usize,
}

/// A layer's part of the memory.
pub(crate) struct LayerMemory<'s> {
    pub time_shift: &'s mut [f32],
    pub channel_shift: &'s mut [f32],
    pub wkv: &'s mut [f32],
}

impl Memory {
    pub fn new(config: &Config) -> Self {
        let per_layer = config.n_embd * (2 + config.head_size);
        Memory { values: AlignedFloats::zeros(config.n_layer * per_layer), n_embd: config.n_embd, per_layer }
    }

    /// The WKV state of a layer, H × S × S.
    pub fn wkv(&self, layer: usize) -> Option<&[f32]> {
        let values = self.values.get(layer.checked_mul(self.per_layer)?..)?;
        values.get(2 * self.n_embd..self.per_layer)
    }

    pub fn layer_mut(&mut self, layer: usize) -> LayerMemory<'_> {
        let values = &mut self.values[layer * self.per_layer..][..self.per_layer];
        let (time_shift, rest) = values.split_at_mut(self.n_embd);
        let (channel_shift, wkv) = rest.split_at_mut(self.n_embd);
        LayerMemory { time_shift, channel_shift, wkv }
    }
}

/// The memory of a batch's rows: for each row that of one layer of its session.
pub(crate) trait Sessions {
    fn layer_mut(&mut self, row: usize, layer: usize) -> LayerMemory<'_>;
}

/// Consecutive rows of one session.
impl Sessions for &mut Memory {
    fn layer_mut(&mut self, _: usize, layer: usize) -> LayerMemory<'_> {
        Memory::layer_mut(self, layer)
    }
}
