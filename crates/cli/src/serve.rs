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

/// Where a key may be instead of in a file.
const KEY_VARIABLE: &str = "BITSTATE_API_KEY";

/// Serve a model over HTTP to OpenAI's clients.
///
/// Requests are answered together, one pass over the weights for all of them, and each gets the bits that it gets alone:
/// the digest in its answer shows it, and the recipe beside it gives the same answer again. A client that goes away frees its
/// place at once. Nothing is cut silently, and a field that is not honoured is refused by its name.
#[derive(clap::Args)]
#[command(after_help = "Try it:\n  bitstate serve --model model.bits &\n  \
    curl localhost:8080/v1/completions -H 'content-type: application/json' -d '{\"prompt\": \"Once upon a time\", \
    \"max_tokens\": 50}'\n  \
    OPENAI_BASE_URL=http://localhost:8080/v1 OPENAI_API_KEY=none python3 my-program.py\n\
    Pages: / to try it, /docs, /openapi.json, /health, /metrics.\n\
    Only programs of this machine can call, and no web page, until --host, --allow-host or --allow-origin say otherwise.")]
pub struct Flags {
    /// The BITS file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[arg(long, value_name = "NAME", value_parser = Variant::by_name, help = variant_help())]
    variant: Option<Variant>,
    #[command(flatten)]
    text: TextFlags,
    /// Address to listen at; 0.0.0.0 lets every machine call that reaches this one.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen at; 0 is any that is free.
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// The model's name for clients; that of its description, or of its file, if not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Texts in the making at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().places)]
    places: usize,
    /// Requests that wait for a place; one more is told to come back (429).
    #[arg(long, value_name = "N", default_value_t = Limits::default().waiting)]
    waiting: usize,
    /// Threads that generate, each for requests of its own; 0 is one for every core but one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Tokens of an answer at most.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_tokens)]
    max_tokens: u32,
    /// Tokens of a prompt at most; a longer one is refused (413), none is cut.
    #[arg(long, value_name = "N", default_value_t = Limits::default().prompt_tokens)]
    max_prompt: usize,
    /// Bytes of a request at most.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().body)]
    max_body: usize,
    /// Mebibytes of answers that are being made or not taken yet; each has its most reserved, 192 bytes a token and more
    /// with probabilities.
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().memory >> 20)]
    answer_memory: usize,
    /// Seconds for an answer, waiting included.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().answer_time.as_secs())]
    max_seconds: u64,
    /// Seconds that answers in the making have when the server is told to stop (Ctrl-C, SIGTERM); then they are cut.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().stop_time.as_secs())]
    stop_seconds: u64,
    /// Mebibytes of prompts that are kept for others that begin alike; 0 keeps none. Answers are the same.
    #[arg(long, value_name = "MIB", default_value_t = 0)]
    prompt_cache: usize,
    /// A name that requests may be for, beside localhost and addresses; again for several. Other names are refused,
    /// because any web page could call by a name of its own (DNS rebinding).
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// An origin whose web pages may call, such as https://example.org; again for several.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// A file with the key that clients must send, which nobody else may read (chmod 600). If not given: the environment
    /// variable BITSTATE_API_KEY; without that, everybody who can connect is served.
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
        note("other machines can call, and there is no key: --api-key-file FILE asks for one");
    }
    let variant = model.variant().name();
    let addr = SocketAddr::new(flags.host, flags.port);
    let server = Server::bind(model, flags.config(key), addr)?;
    let (addr, name, threads) = (server.addr(), server.model_name(), server.threads());
    output::say(format_args!("{name} at http://{addr}, --variant {variant}, --threads {threads}; Ctrl-C stops it"));
    let ended = server.run(async {
        stop_signal().await;
        output::say(format_args!("stopping: answers in the making are completed, or cut in time"));
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
            places: self.places,
            waiting: self.waiting,
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
