//! Bytes as tokens.

/// The byte-level tokenizer: token `b` is the byte `b`. Tokens above 255 have no text.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteTokenizer;

impl ByteTokenizer {
    /// One token a byte.
    pub fn encode(self, text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    /// The text of `tokens`; bytes that are not UTF-8 and tokens above 255 become `U+FFFD`.
    pub fn decode(self, tokens: &[u32]) -> String {
        let mut decoder = ByteDecoder::default();
        let mut text: String = tokens.iter().map(|&token| decoder.push(token)).collect();
        text.push_str(&decoder.finish());
        text
    }
}

/// Text token by token: a character of several bytes comes out whole, with its last byte.
#[derive(Debug, Clone, Default)]
pub struct ByteDecoder {
    /// Bytes of a character that is not complete.
    pending: Vec<u8>,
}

impl ByteDecoder {
    /// The text that `token` completes, perhaps none.
    pub fn push(&mut self, token: u32) -> String {
        let mut out = String::new();
        match u8::try_from(token) {
            Ok(byte) => self.pending.push(byte),
            Err(_) => {
                out = self.finish();
                out.push(char::REPLACEMENT_CHARACTER);
                return out;
            }
        }
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(text) => {
                    out.push_str(text);
                    self.pending.clear();
                    return out;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    out.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
                    let Some(bad) = error.error_len() else {
                        self.pending.drain(..valid);
                        return out;
                    };
                    out.push(char::REPLACEMENT_CHARACTER);
                    self.pending.drain(..valid + bad);
                }
            }
        }
    }

    /// What is left when no more tokens come.
    pub fn finish(&mut self) -> String {
        let rest = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        rest
    }
}
