//! Token files: a header and the tokens, memory-mapped regardless of size.
//!
//! Little-endian. `u32 magic 0x4b4f5442` ("BTOK"), `u32 version 2`, `u32 bytes per token` (2 or 4), `u32 vocab_size`,
//! `u64 tokens`, `u64 bytes of text` that they encode, without ends of texts, `u64 tokenizer`: 0 for bytes, else the
//! XXH64 of its `tokenizer.json`; then the tokens. The stream begins with an end-of-text token, and every story is
//! followed by one.

use super::folder::digest;
use crate::error::Error;
use crate::file::write_atomically;
use memmap2::Mmap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

const MAGIC: u32 = u32::from_le_bytes(*b"BTOK");
const VERSION: u32 = 2;
const HEADER: usize = 40;

/// Writes `tokens`, which encode `text_bytes` bytes of text, to `path`. `tokenizer` is the digest of its file, or 0.
///
/// # Errors
/// If the file cannot be written; an existing one is then unchanged.
pub fn write_tokens(
    path: &Path,
    (vocab_size, tokenizer): (usize, u64),
    text_bytes: u64,
    tokens: &[u32],
) -> Result<(), Error> {
    let vocab = u32::try_from(vocab_size).map_err(|_| {
        Error::content(path, format_args!("the format cannot hold a vocabulary of {vocab_size} tokens"))
    })?;
    let width: usize = if vocab_size <= 1 << 16 { 2 } else { 4 };
    write_atomically(path, |file| {
        let mut out = BufWriter::new(file);
        for word in [MAGIC, VERSION, width as u32, vocab] {
            out.write_all(&word.to_le_bytes())?;
        }
        for count in [tokens.len() as u64, text_bytes, tokenizer] {
            out.write_all(&count.to_le_bytes())?;
        }
        for token in tokens {
            out.write_all(&token.to_le_bytes()[..width])?;
        }
        out.flush()
    })
}

/// A memory-mapped token file.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    map: Mmap,
    width: usize,
    vocab_size: usize,
    len: usize,
    text_bytes: u64,
    tokenizer: u64,
}

impl TokenFile {
    /// Opens a file of [`write_tokens`].
    ///
    /// # Errors
    /// If it cannot be read or is malformed.
    pub fn open(path: &Path) -> Result<TokenFile, Error> {
        let file = File::open(path).map_err(Error::file("read", path))?;
        // SAFETY: the map is only read, as bytes, for which any value is sound. The trainer writes token files to a
        // temporary name and renames them, so that a mapped file is replaced and never changed; a person who truncates
        // it in place while training gets a SIGBUS, which ends the process and loses nothing.
        #[allow(unsafe_code, reason = "there is no safe way to map a file; the line above says why this one is sound")]
        let map = unsafe { Mmap::map(&file) }.map_err(Error::file("map", path))?;
        let wrong = |problem: &str| Error::content(path, problem);
        let header = map.first_chunk::<HEADER>().ok_or_else(|| wrong("too short for a token file"))?;
        let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if u32_at(0) != MAGIC {
            return Err(wrong("not a token file; make one with `bitstate data prepare`"));
        }
        if u32_at(4) != VERSION {
            return Err(wrong("a token file of another version; regenerate it with `bitstate data prepare`"));
        }
        let (width, vocab_size) = (u32_at(8) as usize, u32_at(12) as usize);
        let len = u64_at(16);
        if ![2, 4].contains(&width) || len.checked_mul(width as u64) != Some((map.len() - HEADER) as u64) {
            return Err(wrong("the header does not fit the length of the file"));
        }
        let (len, text_bytes, tokenizer) = (len as usize, u64_at(24), u64_at(32));
        let tokens = TokenFile { path: path.to_path_buf(), map, width, vocab_size, len, text_bytes, tokenizer };
        match (0..len).find(|&i| tokens.get(i) as usize >= vocab_size) {
            Some(i) => Err(Error::content(path, format_args!("token {i} is not below {vocab_size}"))),
            None => Ok(tokens),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// XXH64 of its `tokenizer.json`; 0 for bytes.
    pub fn tokenizer(&self) -> u64 {
        self.tokenizer
    }

    /// XXH64 of the whole file.
    pub fn digest(&self) -> u64 {
        digest(&self.map)
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no tokens.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of text per token; ends of texts count as tokens but not as bytes.
    pub fn bytes_per_token(&self) -> f64 {
        self.text_bytes as f64 / self.len.max(1) as f64
    }

    /// Token `i`.
    pub fn get(&self, i: usize) -> u32 {
        let at = HEADER + i * self.width;
        let byte = |n: usize| u32::from(self.map[at + n]) << (8 * n);
        (0..self.width).map(byte).sum()
    }
}
