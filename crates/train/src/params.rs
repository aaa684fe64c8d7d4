//! The trained parameters by name: the contents of checkpoints and the input of the optimiser.

use bitstate_model::Config;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};

/// The kind of a parameter, which decides its initial values and whether weight decay applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A matrix of a BitLinear, out × in: the only kind with weight decay.
    Matrix,
    /// V × D.
    Embedding,
    /// Norms, decays, token shifts.
    Vector,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Such as `blocks.0.tm.r_proj.weight`.
    pub name: String,
    /// One or two sizes.
    pub shape: Vec<usize>,
    /// Its kind.
    pub kind: Kind,
    /// The values, row by row.
    pub values: Vec<f32>,
}

/// All parameters of a model, in the order that [`crate::net::Net`] takes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Params(pub Vec<Param>);

/// The eight matrices of a layer: name, rows and columns in units of (D, F).
const MATRICES: [(&str, bool, bool); 8] = [
    ("tm.r_proj", false, false),
    ("tm.k_proj", false, false),
    ("tm.v_proj", false, false),
    ("tm.g_proj", false, false),
    ("tm.o_proj", false, false),
    ("cm.k_proj", true, false),
    ("cm.r_proj", false, false),
    ("cm.v_proj", false, true),
];

/// The token shifts of a layer.
const SHIFTS: [&str; 6] = ["tm.mu_r", "tm.mu_k", "tm.mu_v", "tm.mu_g", "cm.mu_k", "cm.mu_r"];

impl Params {
    /// Initial parameters for `seed`.
    ///
    /// | parameter | initial value |
    /// |---|---|
    /// | matrices | normal, standard deviation `1/√in`; for those that write to the residual stream, o and the channel
    /// mix's v, `1/√(2·L·in)` |
    /// | embedding | normal, standard deviation `1/√D`, so logits have standard deviation one |
    /// | norms | γ = 1, β = 0 |
    /// | log_decay of layer l, channel i | `-4 + 3·l/(L-1) + 2·i/(S-1)` |
    /// | u | ln 0.3 |
    /// | μ of layer l | `0.5·(1 - l/L)`, and ± 1e-4 |
    pub fn new(config: &Config, seed: u64) -> Params {
        let mut make = Maker { rng: ChaCha8Rng::seed_from_u64(seed), params: Vec::new() };
        let Config { vocab_size, n_layer, n_embd: d, n_head, head_size, .. } = *config;
        make.normal("emb", Kind::Embedding, [vocab_size, d], 1.0 / (d as f64).sqrt());
        for l in 0..n_layer {
            for (name, tall, wide) in MATRICES {
                let size = |ff| if ff { config.ff_dim() } else { d };
                let [rows, cols] = [size(tall), size(wide)];
                let residual = matches!(name, "tm.o_proj" | "cm.v_proj");
                let share = if residual { 2.0 * n_layer as f64 } else { 1.0 };
                let name = format!("blocks.{l}.{name}");
                make.normal(&name, Kind::Matrix, [rows, cols], 1.0 / (cols as f64 * share).sqrt());
                make.norm(&format!("{name}.norm"), cols);
            }
            make.norm(&format!("blocks.{l}.ln1"), d);
            make.norm(&format!("blocks.{l}.ln2"), d);
            make.norm(&format!("blocks.{l}.tm.group_norm"), d);
            let decay = (0..d).map(|c| (-4.0 + 3.0 * at(l, n_layer) + 2.0 * at(c % head_size, head_size)) as f32);
            make.vector(&format!("blocks.{l}.tm.log_decay"), vec![n_head, head_size], decay.collect());
            make.vector(&format!("blocks.{l}.tm.u"), vec![n_head, head_size], vec![0.3f32.ln(); d]);
            for name in SHIFTS {
                make.shift(&format!("blocks.{l}.{name}"), d, 0.5 * (1.0 - l as f64 / n_layer as f64));
            }
        }
        make.norm("ln_f", d);
        Params(make.params)
    }

    /// Other initial decays: `first + (last - first)·i/(S-1) + l/(L-1)` for layer l, channel i.
    pub fn set_log_decay(&mut self, config: &Config, [first, last]: [f64; 2]) {
        let Config { n_layer, head_size, .. } = *config;
        for l in 0..n_layer {
            let name = format!("blocks.{l}.tm.log_decay");
            let param = self.0.iter_mut().find(|param| param.name == name).expect("every layer has decays");
            for (c, value) in param.values.iter_mut().enumerate() {
                *value = (first + (last - first) * at(c % head_size, head_size) + at(l, n_layer)) as f32;
            }
        }
    }

    /// The parameter of a name.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.0.iter().find(|param| param.name == name)
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.0.iter().map(|param| param.values.len()).sum()
    }
}

/// `i` of `of`, from 0 for the first to 1 for the last.
fn at(i: usize, of: usize) -> f64 {
    i as f64 / of.saturating_sub(1).max(1) as f64
}

struct Maker {
    rng: ChaCha8Rng,
    params: Vec<Param>,
}

impl Maker {
    fn push(&mut self, name: String, shape: Vec<usize>, kind: Kind, values: Vec<f32>) {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        self.params.push(Param { name, shape, kind, values });
    }

    fn normal(&mut self, name: &str, kind: Kind, shape: [usize; 2], spread: f64) {
        let normal = Normal::new(0.0, spread).expect("a spread is finite");
        let values = (0..shape[0] * shape[1]).map(|_| normal.sample(&mut self.rng) as f32).collect();
        self.push(format!("{name}.weight"), shape.to_vec(), kind, values);
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.push(format!("{name}.weight"), vec![width], Kind::Vector, vec![1.0; width]);
        self.push(format!("{name}.bias"), vec![width], Kind::Vector, vec![0.0; width]);
    }

    fn vector(&mut self, name: &str, shape: Vec<usize>, values: Vec<f32>) {
        self.push(name.to_string(), shape, Kind::Vector, values);
    }

    fn shift(&mut self, name: &str, width: usize, centre: f64) {
        let around = Uniform::new(centre - 1e-4, centre + 1e-4).expect("an interval");
        let values = (0..width).map(|_| around.sample(&mut self.rng) as f32).collect();
        self.push(name.to_string(), vec![width], Kind::Vector, values);
    }
}
