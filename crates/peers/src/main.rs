//! Other engines, on networks of the same shape with random weights, one token after the other on one thread.
//!
//! `cargo xtask bench --peers` builds this program for the CPU it runs on and measures it interleaved with the engine of this
//! workspace, of which it only knows the model file. One run is one sample: it generates the weights, reads the prompt,
//! decodes greedily, and prints
//!
//! ```text
//! tokens: 7,1,7,…
//! 1077.3 tokens/s
//! ```
//!
//! The tokens are the same in every run, because the weights depend only on the seed. The time excludes the prompt.

mod candle;
mod llama;
mod weights;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Decodes with another engine, and prints its tokens and its tokens per second.
#[derive(Debug, Parser)]
#[command(name = "bitstate-peers")]
struct Cli {
    /// The engine and its weight format
    #[arg(value_enum)]
    engine: Engine,
    /// BITS file: the network has its shape, but other weights
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Number of prompt tokens, which are not timed
    #[arg(long, value_name = "N", default_value_t = 16)]
    prompt: usize,
    /// Tokens to decode
    #[arg(long, value_name = "N", default_value_t = 64)]
    tokens: usize,
}

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// llama.cpp's RWKV-6: ternary layers as TQ2_0 (Q4_0 if a row is not a multiple of 256), the head as Q8_0
    Llama,
    /// The same with the rows of the head padded to a multiple of 32, which its kernels prefer
    LlamaPadded,
    /// candle's RWKV-5 in f32
    Candle,
    /// candle's RWKV-5: layers as Q4_0, the head as Q8_0
    CandleQuantised,
}

/// The shape of a network.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// V: size of the vocabulary.
    vocab: usize,
    /// L: number of layers.
    layers: usize,
    /// D: width of the residual stream.
    width: usize,
    /// S: width of a head of the recurrence.
    head: usize,
    /// F: width of the channel mix.
    channel: usize,
}

impl Shape {
    /// The shape of a model file.
    fn of(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let model = bitstate_model::Model::parse(&bytes).with_context(|| path.display().to_string())?;
        let config = model.config;
        let (width, channel) = (config.n_embd, config.ff_dim());
        let blocks = width.is_multiple_of(32) && channel.is_multiple_of(32);
        ensure!(blocks, "the widths {width} and {channel} are not multiples of 32, the block of Q4_0 and Q8_0");
        Ok(Shape { vocab: config.vocab_size, layers: config.n_layer, width, head: config.head_size, channel })
    }
}

/// Takes a token and returns that with the largest logit. Logits are computed for every token.
trait Decoder {
    fn step(&mut self, token: u32) -> anyhow::Result<u32>;
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let shape = Shape::of(&cli.model)?;
    // For candle; llama.cpp has a context parameter for it.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    ensure!(cli.prompt > 0 && cli.tokens > 0, "--prompt and --tokens must be at least 1");
    let (tokens, time) = match cli.engine {
        Engine::Llama => decode(&cli, shape.vocab, &mut llama::Llama::new(shape)?)?,
        Engine::LlamaPadded => {
            let vocab = shape.vocab.next_multiple_of(32);
            decode(&cli, shape.vocab, &mut llama::Llama::new(Shape { vocab, ..shape })?)?
        }
        Engine::Candle => decode(&cli, shape.vocab, &mut candle::Candle::new(shape)?)?,
        Engine::CandleQuantised => decode(&cli, shape.vocab, &mut candle::Candle::quantised(shape)?)?,
    };
    let listed: Vec<String> = tokens.iter().map(u32::to_string).collect();
    println!("tokens: {}", listed.join(","));
    println!("{:.1} tokens/s", tokens.len() as f64 / time.as_secs_f64());
    Ok(())
}

fn decode(cli: &Cli, vocab: usize, decoder: &mut impl Decoder) -> anyhow::Result<(Vec<u32>, Duration)> {
    let mut token = 0;
    for place in 0..cli.prompt {
        token = decoder.step((place % vocab) as u32)?;
    }
    let mut tokens = Vec::with_capacity(cli.tokens);
    let started = Instant::now();
    for _ in 0..cli.tokens {
        tokens.push(token);
        token = decoder.step(token)?;
    }
    Ok((tokens, started.elapsed()))
}
