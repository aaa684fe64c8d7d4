//! `bitstate serve`: the model over HTTP.

use crate::load::variant_help;
use crate::output;
use crate::text::{TextFlags, explained, note};
use anyhow::{Context, Result};
use bitstate::text::Need;
use bitstate::{Model, Variant};
use bitstate_serve::{Config, Key, Limits, Server, stop_signal};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Environment variable with the API key.
const KEY_VARIABLE: &str = "BITSTATE_API_KEY";

/// Serve a model over HTTP with an OpenAI-compatible API.
///
/// Concurrent requests are batched: one pass over the weights serves all of them, and each gets the same bits as when it runs
/// alone. Every answer contains a digest that shows this, and a recipe that reproduces the answer. If a client disconnects,
/// its work stops and its slot is freed. Prompts are never truncated, and unsupported fields are rejected by name.
#[derive(clap::Args)]
#[command(after_help = "Try it:\n  bitstate serve --model model.bits &\n  \
    curl localhost:8080/v1/completions -H 'content-type: application/json' -d '{\"prompt\": \"Once upon a time\", \
    \"max_tokens\": 50}'\n  \
    OPENAI_BASE_URL=http://localhost:8080/v1 OPENAI_API_KEY=none python3 my-program.py\n\
    Pages: / (try it), /docs, /openapi.json, /health, /metrics.\n\
    By default only programs on this machine can connect, and web pages cannot; see --host, --allow-host, --allow-origin.")]
pub struct Flags {
    /// The BITS file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[arg(long, value_name = "NAME", value_parser = Variant::by_name, help = variant_help())]
    variant: Option<Variant>,
    #[command(flatten)]
    text: TextFlags,
    /// Address to listen on; 0.0.0.0 accepts connections from other machines.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 picks a free port.
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// Model name that clients use; by default the name in the model's description, else the file name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Number of answers generated concurrently.
    #[arg(long, value_name = "N", default_value_t = Limits::default().slots)]
    slots: usize,
    /// Number of requests that may wait for a slot; further requests get 429 with Retry-After.
    #[arg(long, value_name = "N", default_value_t = Limits::default().queue)]
    queue: usize,
    /// Number of generation threads, each with its own batch; 0 is one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Maximum number of tokens in an answer.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_tokens)]
    max_tokens: u32,
    /// Maximum number of tokens in a prompt; longer prompts are rejected with 413, never truncated.
    #[arg(long, value_name = "N", default_value_t = Limits::default().prompt_tokens)]
    max_prompt: usize,
    /// Maximum size of a request body in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().body)]
    max_body: usize,
    /// Memory for answers that are being generated or not sent yet, in MiB; a request reserves 192 bytes per token, more
    /// with logprobs.
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().memory >> 20)]
    answer_memory: usize,
    /// Time limit for an answer in seconds, including the time in the queue.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().answer_time.as_secs())]
    max_seconds: u64,
    /// Seconds that running answers have to complete after Ctrl-C or SIGTERM; then they are cut off.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().stop_time.as_secs())]
    stop_seconds: u64,
    /// Size of the prompt cache in MiB; 0 disables it. Answers do not depend on it.
    #[arg(long, value_name = "MIB", default_value_t = 0)]
    prompt_cache: usize,
    /// Allowed Host name besides localhost and IP addresses; may be repeated. Requests for other names are rejected, as
    /// a protection against DNS rebinding.
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Origin whose web pages may call (CORS), such as https://example.org; may be repeated.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// File with the API key that clients must send; only its owner may have access (chmod 600). Without this flag the
    /// environment variable BITSTATE_API_KEY is used; without both, no key is required.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

pub fn run(flags: Flags) -> Result<()> {
    let key = flags.key()?;
    let builder = Model::builder().text(flags.text.options(Need::Text)).for_many_sessions();
    let builder = flags.variant.into_iter().fold(builder, |builder, variant| builder.variant(variant));
    let model = builder.open(&flags.model).map_err(explained)?;
    model.notes().iter().for_each(|text| note(text));
    if !flags.host.is_loopback() && key.is_none() {
        note("other machines can connect and no API key is required; --api-key-file FILE requires one");
    }
    let variant = model.variant().name();
    let addr = SocketAddr::new(flags.host, flags.port);
    let server = Server::bind(model, flags.config(key), addr)?;
    let (addr, name, threads) = (server.addr(), server.model_name(), server.threads());
    output::say(format_args!("{name} at http://{addr}, --variant {variant}, --threads {threads}; Ctrl-C stops it"));
    let ended = server.run(async {
        stop_signal().await;
        output::say(format_args!("stopping: running answers are completed, or cut off after --stop-seconds"));
    })?;
    output::say(format_args!("{ended}"));
    Ok(())
}

impl Flags {
    fn key(&self) -> Result<Option<Key>> {
        if let Some(path) = &self.api_key_file {
            return Ok(Some(Key::from_file(path)?));
        }
        match std::env::var_os(KEY_VARIABLE) {
            None => Ok(None),
            Some(key) => {
                let key = key.to_str().with_context(|| format!("{KEY_VARIABLE} is not text"))?;
                Ok(Some(Key::new(key).with_context(|| KEY_VARIABLE.to_string())?))
            }
        }
    }

    fn config(&self, key: Option<Key>) -> Config {
        let limits = Limits {
            slots: self.slots,
            queue: self.queue,
            max_tokens: self.max_tokens,
            prompt_tokens: self.max_prompt,
            body: self.max_body,
            memory: self.answer_memory.saturating_mul(1 << 20),
            answer_time: Duration::from_secs(self.max_seconds),
            stop_time: Duration::from_secs(self.stop_seconds),
            ..Limits::default()
        };
        Config {
            name: self.name.clone(),
            limits,
            threads: self.threads,
            prompt_cache: self.prompt_cache.saturating_mul(1 << 20),
            hosts: self.allow_host.clone(),
            origins: self.allow_origin.clone(),
            key,
        }
    }
}
