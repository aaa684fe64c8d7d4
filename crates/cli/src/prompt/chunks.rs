//! Reads a text in pieces, with constant memory.

use anyhow::{Result, bail};
use std::io::{ErrorKind, Read};

/// Bytes to read at a time.
const CHUNK: usize = 64 << 10;

/// The text of a file, as [`read_stories`](bitstate::tokenizer::read_stories) reads it: UTF-8, without a byte order mark,
/// CR LF as LF; and without the newline that editors and `echo` add at its end.
pub struct Chunks<R> {
    reader: R,
    /// Bytes read but not returned yet: an incomplete character, or a possible line ending.
    held: Vec<u8>,
    /// Number of bytes before those held.
    offset: u64,
    ended: bool,
}

impl<R: Read> Chunks<R> {
    pub fn new(reader: R) -> Self {
        Chunks { reader, held: Vec::new(), offset: 0, ended: false }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// If it cannot be read, or is not UTF-8.
    pub fn next(&mut self) -> Result<Option<String>> {
        if self.ended {
            return Ok(None);
        }
        self.read()?;
        let whole = match str::from_utf8(&self.held) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() && !self.ended => error.valid_up_to(),
            Err(error) => {
                let at = self.offset + error.valid_up_to() as u64;
                bail!("not UTF-8: the first wrong byte is number {at}; convert it first, for example with iconv");
            }
        };
        let line_end = [&b"\r\n"[..], b"\n", b"\r"].into_iter().find(|end| self.held[..whole].ends_with(end));
        let give = whole - line_end.map_or(0, <[u8]>::len);
        let rest = self.held.split_off(if self.ended && line_end == Some(b"\r") { whole } else { give });
        let text = String::from_utf8(std::mem::replace(&mut self.held, rest))?;
        let begin = if self.offset == 0 { text.strip_prefix('\u{feff}').unwrap_or(&text) } else { &text };
        let piece = begin.replace("\r\n", "\n");
        self.offset += text.len() as u64;
        Ok(Some(piece))
    }

    /// Reads at least one byte more than can be held back, unless the input ends first.
    fn read(&mut self) -> Result<()> {
        let start = self.held.len();
        self.held.resize(start + CHUNK, 0);
        let mut filled = start;
        while filled < start + 4 {
            match self.reader.read(&mut self.held[filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if self.ended {
                break;
            }
        }
        self.held.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Returns this many bytes per call.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let most = self.1.min(into.len());
            self.0.read(&mut into[..most])
        }
    }

    fn all(bytes: &[u8], step: usize) -> Result<String> {
        let mut chunks = Chunks::new(Slow(bytes, step));
        let mut text = String::new();
        while let Some(piece) = chunks.next()? {
            text.push_str(&piece);
        }
        Ok(text)
    }

    #[test]
    fn what_a_file_has_around_its_text_is_removed() {
        for step in [1, 2, 3, 5, 1 << 20] {
            let of = |bytes: &[u8]| all(bytes, step).unwrap();
            assert_eq!(of(b"a\n"), "a");
            assert_eq!(of(b"a\r\n"), "a");
            assert_eq!(of(b"\xef\xbb\xbfa\r\nb\n\n"), "a\nb\n");
            assert_eq!(
                (of(b""), of(b"\n"), of(b" a "), of(b"a\r")),
                ("".into(), "".into(), " a ".into(), "a\r".into())
            );
            assert_eq!(of("ü\r\r\n\r\n€ab\n\r\n😀".as_bytes()), "ü\r\n\n€ab\n\n😀");
            assert!(all(b"abcdefgh\xff", step).unwrap_err().to_string().contains("number 8"));
            assert!(all(b"ab\xe2\x82", step).unwrap_err().to_string().contains("number 2"));
        }
    }

    #[test]
    fn a_long_text_comes_in_pieces_that_are_small() {
        let text = "Grüße, \r\n".repeat(100_000);
        let (mut chunks, mut together, mut most) = (Chunks::new(text.as_bytes()), String::new(), 0);
        while let Some(piece) = chunks.next().unwrap() {
            most = most.max(piece.len());
            together.push_str(&piece);
        }
        assert!(most <= CHUNK + 4, "{most}");
        assert_eq!(together + "\n", text.replace("\r\n", "\n"));
    }
}
