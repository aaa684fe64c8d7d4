//! Session files: everything a text needs to continue elsewhere, bit for bit.
//!
//! The first line is a JSON object that people and `jq` can read: the SHA-256 of the model and the tokenizer, the
//! position in the text, the sampling parameters, the end of the text, and the lengths of the binary parts. These
//! follow, little-endian, without padding:
//!
//! | part | type |
//! |---|---|
//! | state | the engine's saved form of the state |
//! | residual | f32: D values from which the next logits are computed, or none |
//! | counts | u8: how often each token was seen, up to 3, or none |
//! | recent | u32: the last tokens for penalties |
//! | tokens | u32: the last tokens of the text |
//! | decoder | the state of text decoding, including an incomplete character |
//! | checksum | u64: XXH64 of everything before it |

mod error;
mod header;

use crate::checkpoints::{History, Past};
use crate::error::Error;
use crate::model::Model;
use crate::session::Session;
#[cfg(feature = "std")]
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitstate_generate::{Order, SamplerMemory, Sampling};
use bitstate_protocol::Digest;
use header::{Reader, Writer};

pub use error::SessionFileError;

/// The start of a session file; its version follows.
const MAGIC: &str = "{\"bitstate_session\":";
const VERSION: u32 = 1;
const CHECKSUM: usize = 8;
/// No session gets this far: a bound that keeps sums from overflowing.
const MOST_TOKENS: u64 = 1 << 62;

impl Session {
    /// The session as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let state = self.progress.state();
        let memory = self.sampler_memory();
        let tokens: Vec<u32> = self.history.tokens().collect();
        let decoder = self.decoder.as_ref().map_or_else(Vec::new, |decoder| decoder.to_bytes());
        let saved = state.to_bytes();
        let residual = state.residual().unwrap_or(&[]);

        let mut header = Writer::new();
        header.value("bitstate_session", VERSION);
        header.text("model", self.model.sha256());
        header.text("tokenizer", tokenizer_of(&self.model));
        header.value("position", self.progress.position());
        header.value("pending", self.pending.map_or(-1, i64::from));
        header.text("generator", &format!("{:016x}", memory.generator));
        write_sampling(&mut header, self.sampling());
        header.text("text", &self.last_text().unwrap_or_default());
        for (key, length) in [
            ("state", saved.len()),
            ("residual", residual.len()),
            ("counts", memory.counts.len()),
            ("recent", memory.recent.len()),
            ("tokens", tokens.len()),
            ("decoder", decoder.len()),
        ] {
            header.value(key, length);
        }
        let mut bytes = header.finish().into_bytes();
        bytes.reserve_exact(
            saved.len()
                + 4 * (residual.len() + memory.recent.len() + tokens.len())
                + memory.counts.len()
                + decoder.len()
                + CHECKSUM,
        );
        bytes.extend(saved);
        residual.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes.extend(&memory.counts);
        memory.recent.iter().chain(&tokens).for_each(|token| bytes.extend(token.to_le_bytes()));
        bytes.extend(decoder);
        let checksum = Digest::of(&bytes);
        bytes.extend(checksum.0.to_le_bytes());
        bytes
    }

    /// Writes the session file `path` atomically.
    ///
    /// # Errors
    /// If it cannot be written; then the previous file is intact.
    #[cfg(feature = "std")]
    pub fn save(&self, path: impl AsRef<std::path::Path>) -> Result<(), Error> {
        use std::io::Write;
        let bytes = self.to_bytes();
        Ok(bitstate_files::write_whole(path.as_ref(), |file| file.write_all(&bytes))?)
    }
}

impl Model {
    /// Resumes a session that was saved here or elsewhere, with this variant or another, bit for bit. It has no
    /// checkpoints before its beginning.
    ///
    /// # Errors
    /// If the bytes are damaged, of another version, model or tokenizer, or not a session; names the field and the
    /// offset.
    pub fn resume(&self, bytes: &[u8]) -> Result<Session, Error> {
        let (mut reader, body) = checked(bytes)?;
        let header = read_header(self, &mut reader)?;
        let mut session = self.session(header.sampling.clone())?;
        fill(&mut session, &header, Body { bytes: body, offset: reader.offset })?;
        Ok(session)
    }

    /// [`resume`](Model::resume) of the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, and as `resume`.
    #[cfg(feature = "std")]
    pub fn resume_file(&self, path: impl AsRef<std::path::Path>) -> Result<Session, Error> {
        let path = path.as_ref();
        // Only the state is large; there may be many last tokens if undo was to go far back.
        let limit = self.engine().new_state().saved_len() as u64 + (64 << 20);
        let bytes = bitstate_files::read(path, limit);
        let bytes = bytes.map_err(|cause| Error::ReadSession { path: path.to_path_buf(), cause })?;
        self.resume(&bytes).map_err(|error| match error {
            Error::SessionFile(cause) => Error::NamedSession { path: path.to_path_buf(), cause: Box::new(cause) },
            error => error,
        })
    }
}

fn tokenizer_of(model: &Model) -> &str {
    model.tokenizer().map_or("", |tokenizer| tokenizer.digest())
}

/// A file with a valid beginning and checksum: its header to be parsed, and everything but the checksum.
fn checked(bytes: &[u8]) -> Result<(Reader<'_>, &[u8]), SessionFileError> {
    let Some(rest) = bytes.strip_prefix(MAGIC.as_bytes()) else { return Err(SessionFileError::Magic) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let found = core::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
    match found {
        None => return Err(SessionFileError::Magic),
        Some(VERSION) => {}
        Some(found) => return Err(SessionFileError::Version { found }),
    }
    let Some((body, said)) = bytes.split_last_chunk::<CHECKSUM>() else { return Err(SessionFileError::Magic) };
    let (found, expected) = (Digest(u64::from_le_bytes(*said)), Digest::of(body));
    if found != expected {
        return Err(SessionFileError::Damaged { found, expected });
    }
    Ok((Reader::new(body), body))
}

struct Header {
    position: u64,
    pending: Option<u32>,
    generator: u64,
    sampling: Sampling,
    /// Lengths of state, residual, counts, recent, tokens and decoder.
    lengths: [usize; 6],
}

fn read_header(model: &Model, reader: &mut Reader<'_>) -> Result<Header, SessionFileError> {
    let _: u32 = reader.number("bitstate_session")?;
    let (found, expected) = (reader.text("model")?, model.sha256());
    if found != expected {
        return Err(SessionFileError::Model { found, expected: expected.to_string() });
    }
    let (found, expected) = (reader.text("tokenizer")?, tokenizer_of(model));
    if found != expected {
        return Err(SessionFileError::Tokenizer { found, expected: expected.to_string() });
    }
    let position = reader.number("position")?;
    if position > MOST_TOKENS {
        return Err(reader.wrong("position", "is larger than any text"));
    }
    let pending: i64 = reader.number("pending")?;
    let is_token = |id: &u32| (*id as usize) < model.config().vocab_size;
    let pending = match pending {
        -1 => None,
        id => Some(
            u32::try_from(id)
                .ok()
                .filter(is_token)
                .ok_or_else(|| reader.wrong("pending", "is not a token of the model"))?,
        ),
    };
    let generator = reader.text("generator")?;
    let generator = u64::from_str_radix(&generator, 16).ok().filter(|_| generator.len() == 16);
    let generator = generator.ok_or_else(|| reader.wrong("generator", "is not 16 hex digits"))?;
    let sampling = read_sampling(reader, model.config().vocab_size)?;
    reader.text("text")?;
    let mut lengths = [0; 6];
    for (length, key) in lengths.iter_mut().zip(["state", "residual", "counts", "recent", "tokens", "decoder"]) {
        *length = reader.number(key)?;
    }
    reader.finish()?;
    Ok(Header { position, pending, generator, sampling, lengths })
}

fn write_sampling(header: &mut Writer, sampling: &Sampling) {
    header.value("seed", sampling.seed);
    header.value("temperature", sampling.temperature);
    header.value("temperature_last", sampling.order == Order::TemperatureLast);
    header.value("top_k", sampling.top_k);
    for (key, value) in [
        ("typical_p", sampling.typical_p),
        ("top_p", sampling.top_p),
        ("min_p", sampling.min_p),
        ("penalty", sampling.penalty),
        ("repetition", sampling.repetition),
        ("presence", sampling.presence),
        ("frequency", sampling.frequency),
    ] {
        header.value(key, value);
    }
    header.value("window", sampling.window);
    let bias: Vec<String> = sampling.bias.iter().map(|(token, bias)| format!("[{token},{bias}]")).collect();
    header.value("bias", format_args!("[{}]", bias.join(",")));
}

fn read_sampling(reader: &mut Reader<'_>, vocab_size: usize) -> Result<Sampling, SessionFileError> {
    let mut sampling = Sampling::seeded(reader.number("seed")?);
    sampling.temperature = reader.number("temperature")?;
    let last: bool = reader.number("temperature_last")?;
    sampling.order = if last { Order::TemperatureLast } else { Order::TemperatureFirst };
    sampling.top_k = reader.number("top_k")?;
    sampling.typical_p = reader.number("typical_p")?;
    sampling.top_p = reader.number("top_p")?;
    sampling.min_p = reader.number("min_p")?;
    sampling.penalty = reader.number("penalty")?;
    sampling.repetition = reader.number("repetition")?;
    sampling.presence = reader.number("presence")?;
    sampling.frequency = reader.number("frequency")?;
    sampling.window = reader.number("window")?;
    sampling.bias = reader.pairs("bias", vocab_size)?;
    sampling.check_for(vocab_size).map_err(SessionFileError::Sampling)?;
    Ok(sampling)
}

/// The parts after the header.
struct Body<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Body<'a> {
    fn wrong(&self, field: &'static str, problem: impl ToString) -> SessionFileError {
        SessionFileError::Field { field, offset: self.offset, problem: problem.to_string() }
    }

    fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], SessionFileError> {
        let end = self.offset.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.offset..end));
        let taken =
            taken.ok_or_else(|| self.wrong(field, format_args!("has {length} bytes, but the file ends earlier")))?;
        self.offset += length;
        Ok(taken)
    }

    /// `length` values of four bytes.
    fn words(&mut self, field: &'static str, length: usize) -> Result<&'a [[u8; 4]], SessionFileError> {
        let bytes = length.checked_mul(4).ok_or_else(|| self.wrong(field, "is longer than the address space"))?;
        Ok(self.take(field, bytes)?.as_chunks().0)
    }

    /// `length` tokens below `vocab_size`.
    fn tokens(&mut self, field: &'static str, length: usize, vocab_size: usize) -> Result<Vec<u32>, SessionFileError> {
        let start = self.offset;
        let words = self.words(field, length)?;
        let tokens: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
        match tokens.iter().position(|&token| token as usize >= vocab_size) {
            None => Ok(tokens),
            Some(at) => {
                let problem = format!("has token {}, and the model has tokens 0 to {}", tokens[at], vocab_size - 1);
                Err(SessionFileError::Field { field, offset: start + 4 * at, problem })
            }
        }
    }
}

/// Restores the contents of the file into a new session.
fn fill(session: &mut Session, header: &Header, mut body: Body<'_>) -> Result<(), SessionFileError> {
    let [state_len, residual_len, counts_len, recent_len, tokens_len, decoder_len] = header.lengths;
    let vocab_size = session.model.config().vocab_size;

    let offset = body.offset;
    let state = session.model.engine().restore_state(body.take("state", state_len)?);
    let mut state = state.map_err(|cause| SessionFileError::State { offset, cause })?;
    let offset = body.offset;
    let residual: Vec<f32> =
        body.words("residual", residual_len)?.iter().map(|&word| f32::from_le_bytes(word)).collect();
    if !residual.is_empty() {
        state.set_residual(&residual).map_err(|cause| SessionFileError::State { offset, cause })?;
    } else if header.position > 0 {
        return Err(body.wrong("residual", "is missing although the text has tokens"));
    }
    if counts_len != 0 && counts_len != vocab_size {
        return Err(body.wrong("counts", format_args!("has {counts_len} tokens, and the model {vocab_size}")));
    }
    let counts = body.take("counts", counts_len)?;
    if recent_len > header.sampling.window as usize {
        return Err(body.wrong("recent", format_args!("has {recent_len} tokens, more than the window")));
    }
    let recent = body.tokens("recent", recent_len, vocab_size)?;
    let tokens = body.tokens("tokens", tokens_len, vocab_size)?;
    let length = header.position + u64::from(header.pending.is_some());
    let Some(gone) = length.checked_sub(tokens.len() as u64) else {
        return Err(body.wrong("tokens", "has more than the text"));
    };
    if header.pending.is_some() && tokens.last() != header.pending.as_ref() {
        return Err(body.wrong("tokens", "does not end with the pending one"));
    }
    let offset = body.offset;
    let decoder = body.take("decoder", decoder_len)?;
    if let Some(tokenizer) = session.model.tokenizer() {
        let restored = tokenizer.restore_decoder(decoder);
        session.decoder = Some(restored.map_err(|cause| SessionFileError::Decoder { offset, cause })?);
    } else if !decoder.is_empty() {
        return Err(body.wrong("decoder", "is present although the tokens have no text"));
    }
    if body.offset != body.bytes.len() {
        return Err(body.wrong("the end", "is followed by more bytes"));
    }

    session.progress.set_state(state, header.position);
    let memory = SamplerMemory { generator: header.generator, counts: counts.to_vec(), recent };
    session.progress.sampler_mut().restore(&memory);
    session.history = History::new(tokens.len().max(1024), gone);
    let past = |token| Past { token, generator: header.generator, chosen: false };
    tokens.into_iter().for_each(|token| session.history.push(past(token)));
    session.pending = header.pending;
    Ok(())
}
