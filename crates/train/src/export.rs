//! Exports a trained model as a BITS file.

use crate::error::Error;
use crate::kernels::bit_linear::ternary;
use crate::params::Params;
use bitstate_model::{
    BitLinearWeights, ChannelMixWeights, Config, EmbeddingWeights, LayerWeights, NormWeights, TimeMixWeights, Version,
    Weights,
};

/// The BITS 1.2 file of the model `params`, with the ternary and INT8 values that training uses.
///
/// # Errors
/// If a number is not finite.
pub fn export(config: &Config, params: &Params) -> Result<Vec<u8>, Error> {
    let export = Export { params };
    let layers = (0..config.n_layer).map(|l| export.layer(&format!("blocks.{l}."))).collect();
    let embedding = EmbeddingWeights::F32(export.values("emb.weight"));
    let weights = Weights { config: *config, embedding, layers, ln_f: export.norm("ln_f") };
    weights.write(Version::V1_2).map_err(Error::Export)
}

struct Export<'a> {
    params: &'a Params,
}

impl Export<'_> {
    fn values(&self, name: &str) -> Vec<f32> {
        let param = self.params.get(name);
        param.unwrap_or_else(|| unreachable!("Params::new makes {name}")).values.clone()
    }

    fn norm(&self, name: &str) -> NormWeights {
        NormWeights { weight: self.values(&format!("{name}.weight")), bias: self.values(&format!("{name}.bias")) }
    }

    fn linear(&self, name: &str) -> BitLinearWeights {
        let (weights, scale) = ternary(&self.values(&format!("{name}.weight")));
        let norm = self.norm(&format!("{name}.norm"));
        BitLinearWeights { weight: weights.into_iter().map(|w| w as i8).collect(), scale, norm }
    }

    fn layer(&self, at: &str) -> LayerWeights {
        let name = |leaf: &str| format!("{at}{leaf}");
        let linear = |leaf| self.linear(&name(leaf));
        let values = |leaf| self.values(&name(leaf));
        LayerWeights {
            ln1: self.norm(&name("ln1")),
            time_mix: TimeMixWeights {
                r: linear("tm.r_proj"),
                k: linear("tm.k_proj"),
                v: linear("tm.v_proj"),
                g: linear("tm.g_proj"),
                o: linear("tm.o_proj"),
                log_decay: values("tm.log_decay"),
                u: values("tm.u"),
                mu_r: values("tm.mu_r"),
                mu_k: values("tm.mu_k"),
                mu_v: values("tm.mu_v"),
                mu_g: values("tm.mu_g"),
                group_norm: self.norm(&name("tm.group_norm")),
            },
            ln2: self.norm(&name("ln2")),
            channel_mix: ChannelMixWeights {
                k: linear("cm.k_proj"),
                r: linear("cm.r_proj"),
                v: linear("cm.v_proj"),
                mu_k: values("cm.mu_k"),
                mu_r: values("cm.mu_r"),
            },
        }
    }
}
