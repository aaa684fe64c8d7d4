//! One message: a keyword and its fields, to and from a line of text.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::str::FromStr;

/// An invalid line. `line` counts from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// A required field is missing.
    #[error("line {line}: field `{field}` is missing")]
    Missing {
        /// Line number, from 1.
        line: usize,
        /// Name of the field.
        field: &'static str,
    },
    /// A field's value is not of its type.
    #[error("line {line}: field `{field}` cannot be `{value}`")]
    BadValue {
        /// Line number, from 1.
        line: usize,
        /// Name of the field.
        field: String,
        /// The text found.
        value: String,
    },
    /// An unknown or repeated field.
    #[error("line {line}: field `{field}` is unknown or repeated here")]
    Unexpected {
        /// Line number, from 1.
        line: usize,
        /// Name of the field.
        field: String,
    },
    /// An unknown keyword, or one not allowed here.
    #[cfg_attr(feature = "sessions", error("line {line}: `{keyword}` is not a message expected here"))]
    #[cfg_attr(
        not(feature = "sessions"),
        error(
            "line {line}: `{keyword}` is not a message expected here; sessions need a build with the feature `sessions`"
        )
    )]
    Keyword {
        /// Line number, from 1.
        line: usize,
        /// The first word of the line.
        keyword: String,
    },
    /// The other side uses another version of the format.
    #[error("the other side speaks version {found} of the line format, this one version {ours}")]
    Version {
        /// The version found.
        found: u32,
        /// The version of this build.
        ours: u32,
    },
    /// The text ends before its closing line.
    #[error("the text ends after {lines} lines without its closing line: it was cut short")]
    Cut {
        /// Number of lines present.
        lines: usize,
    },
    /// The closing line does not match the lines before it.
    #[error("the closing line says {said}, what stands before it is {found}: the text was altered on its way")]
    Closing {
        /// The contents of the closing line.
        said: String,
        /// The values computed from the lines before it.
        found: String,
    },
}

/// Writes `key=value`, with the value percent-encoded where necessary.
pub(crate) fn push_field(out: &mut String, key: &str, value: impl fmt::Display) {
    struct Encoder<'a>(&'a mut String);
    impl Write for Encoder<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for c in text.chars() {
                if c == '%' || c == ' ' || c.is_control() {
                    let mut bytes = [0; 4];
                    for byte in c.encode_utf8(&mut bytes).bytes() {
                        write!(self.0, "%{byte:02x}")?;
                    }
                } else {
                    self.0.push(c);
                }
            }
            Ok(())
        }
    }
    out.push(' ');
    out.push_str(key);
    out.push('=');
    // Writing to a String cannot fail.
    let _ = write!(Encoder(out), "{value}");
}

/// Writes `key=` and the bytes in hexadecimal digits, which need no encoding.
#[cfg(feature = "sessions")]
pub(crate) fn push_bytes(out: &mut String, key: &str, bytes: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.push(' ');
    out.push_str(key);
    out.push('=');
    out.reserve(2 * bytes.len());
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| (b? as char).to_digit(16);
            let high = digit(rest.next())?;
            let low = digit(rest.next())?;
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A line being parsed: fields are taken one by one, and none may remain.
pub(crate) struct Fields<'a> {
    pub line: usize,
    pub keyword: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    pub fn parse(line: usize, text: &'a str) -> Result<Self, LineError> {
        let mut words = text.split(' ');
        let keyword = words.next().unwrap_or("");
        let mut fields = Vec::new();
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                return Err(LineError::Unexpected { line, field: word.to_string() });
            };
            if fields.iter().any(|&(known, _)| known == key) {
                return Err(LineError::Unexpected { line, field: key.to_string() });
            }
            fields.push((key, value));
        }
        Ok(Fields { line, keyword, fields })
    }

    fn take(&mut self, field: &'static str) -> Result<&'a str, LineError> {
        let at = self.fields.iter().position(|&(key, _)| key == field);
        let at = at.ok_or(LineError::Missing { line: self.line, field })?;
        Ok(self.fields.swap_remove(at).1)
    }

    pub fn bad(&self, field: &str, value: &str) -> LineError {
        LineError::BadValue { line: self.line, field: field.to_string(), value: value.to_string() }
    }

    pub fn text(&mut self, field: &'static str) -> Result<String, LineError> {
        let value = self.take(field)?;
        decode(value).ok_or_else(|| self.bad(field, value))
    }

    pub fn value<T: FromStr>(&mut self, field: &'static str) -> Result<T, LineError> {
        let value = self.take(field)?;
        value.parse().map_err(|_| self.bad(field, value))
    }

    /// A comma-separated list; an empty text is the empty list.
    pub fn list<T: FromStr>(&mut self, field: &'static str) -> Result<Vec<T>, LineError> {
        let value = self.take(field)?;
        if value.is_empty() {
            return Ok(Vec::new());
        }
        let items = value.split(',').map(|item| item.parse().map_err(|_| self.bad(field, item)));
        items.collect()
    }

    /// An f32 as the eight hexadecimal digits of its bits: exact, and no decimal conversion on a small target.
    pub fn float(&mut self, field: &'static str) -> Result<f32, LineError> {
        let value = self.take(field)?;
        Bits::parse(value).ok_or_else(|| self.bad(field, value))
    }

    /// Bytes as two hexadecimal digits each. An error shows the digits of the first that is none.
    #[cfg(feature = "sessions")]
    pub fn bytes(&mut self, field: &'static str) -> Result<Vec<u8>, LineError> {
        let value = self.take(field)?;
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let pair = |pair: &[u8]| match *pair {
            [high, low] => Some((digit(high)? * 16 + digit(low)?) as u8),
            _ => None,
        };
        let mut bytes = Vec::with_capacity(value.len() / 2);
        for digits in value.as_bytes().chunks(2) {
            bytes.push(pair(digits).ok_or_else(|| self.bad(field, &String::from_utf8_lossy(digits)))?);
        }
        Ok(bytes)
    }

    pub fn finish(self) -> Result<(), LineError> {
        match self.fields.first() {
            None => Ok(()),
            Some(&(field, _)) => Err(LineError::Unexpected { line: self.line, field: field.to_string() }),
        }
    }

    pub fn unknown(&self) -> LineError {
        LineError::Keyword { line: self.line, keyword: self.keyword.to_string() }
    }
}

/// An f32 as the eight hexadecimal digits of its bits.
pub(crate) struct Bits(pub f32);

impl Bits {
    pub fn parse(text: &str) -> Option<f32> {
        let bits = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8);
        bits.map(f32::from_bits)
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0.to_bits())
    }
}

/// Items separated by commas.
pub(crate) struct Commas<'a, T>(pub &'a [T]);

impl<T: fmt::Display> fmt::Display for Commas<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{item}")?;
        }
        Ok(())
    }
}
