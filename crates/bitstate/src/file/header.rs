//! The first line of a session file: one JSON object with its keys in fixed order, so that this file is enough to parse
//! it, and every error has an offset.

use super::SessionFileError;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Display, Write};
use core::str::FromStr;

/// Writes the object key by key.
pub(super) struct Writer(String);

impl Writer {
    pub fn new() -> Self {
        Writer(String::new())
    }

    /// A value with the same form in JSON and Rust: a number, or existing JSON.
    pub fn value(&mut self, key: &str, value: impl Display) {
        let before = if self.0.is_empty() { '{' } else { ',' };
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{before}\"{key}\":{value}");
    }

    pub fn text(&mut self, key: &str, text: &str) {
        let mut quoted = String::with_capacity(text.len() + 2);
        quoted.push('"');
        for c in text.chars() {
            match c {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\n' => quoted.push_str("\\n"),
                c if c.is_control() => {
                    let _ = write!(quoted, "\\u{:04x}", u32::from(c));
                }
                c => quoted.push(c),
            }
        }
        quoted.push('"');
        self.value(key, quoted);
    }

    pub fn finish(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

/// Reads the object key by key.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub offset: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, offset: 0 }
    }

    pub fn wrong(&self, field: &'static str, problem: impl Display) -> SessionFileError {
        SessionFileError::Field { field, offset: self.offset, problem: problem.to_string() }
    }

    fn expect(&mut self, field: &'static str, text: &str) -> Result<(), SessionFileError> {
        if self.bytes[self.offset..].starts_with(text.as_bytes()) {
            self.offset += text.len();
            return Ok(());
        }
        Err(self.wrong(field, format_args!("needs {text:?} here")))
    }

    pub fn key(&mut self, key: &'static str) -> Result<(), SessionFileError> {
        let before = if self.offset == 0 { "{" } else { "," };
        self.expect(key, before)?;
        self.expect(key, &format!("\"{key}\":"))
    }

    /// A number under `key`.
    pub fn number<T: FromStr>(&mut self, key: &'static str) -> Result<T, SessionFileError> {
        self.key(key)?;
        self.bare(key)
    }

    /// A number, or an unquoted word.
    pub fn bare<T: FromStr>(&mut self, key: &'static str) -> Result<T, SessionFileError> {
        let rest = &self.bytes[self.offset..];
        let end = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(rest.len());
        let text = core::str::from_utf8(&rest[..end]).unwrap_or("");
        let value = text.parse().map_err(|_| self.wrong(key, "is not a valid number"))?;
        self.offset += end;
        Ok(value)
    }

    /// A string under `key`.
    pub fn text(&mut self, key: &'static str) -> Result<String, SessionFileError> {
        self.key(key)?;
        self.expect(key, "\"")?;
        let mut text: Vec<u8> = Vec::new();
        loop {
            let Some(&byte) = self.bytes.get(self.offset) else { return Err(self.wrong(key, "is truncated")) };
            self.offset += 1;
            match byte {
                b'"' => break,
                b'\\' => text.extend(self.escaped(key)?.encode_utf8(&mut [0; 4]).as_bytes()),
                byte => text.push(byte),
            }
        }
        String::from_utf8(text).map_err(|_| self.wrong(key, "is not UTF-8"))
    }

    fn escaped(&mut self, key: &'static str) -> Result<char, SessionFileError> {
        let byte = self.bytes.get(self.offset).copied().unwrap_or(0);
        self.offset += 1;
        match byte {
            b'"' | b'\\' | b'/' => Ok(char::from(byte)),
            b'n' => Ok('\n'),
            b'u' => {
                let digits = self.bytes.get(self.offset..self.offset + 4).unwrap_or(&[]);
                let code = core::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let code = code.and_then(char::from_u32).ok_or_else(|| self.wrong(key, "has a wrong escape"))?;
                self.offset += 4;
                Ok(code)
            }
            _ => Err(self.wrong(key, "has a wrong escape")),
        }
    }

    /// Pairs of numbers under `key`, at most `most`.
    pub fn pairs<A: FromStr, B: FromStr>(
        &mut self,
        key: &'static str,
        most: usize,
    ) -> Result<Vec<(A, B)>, SessionFileError> {
        self.key(key)?;
        self.expect(key, "[")?;
        let mut pairs = Vec::new();
        while !self.bytes[self.offset..].starts_with(b"]") {
            if pairs.len() >= most {
                return Err(self.wrong(key, format_args!("has more than {most} entries")));
            }
            if !pairs.is_empty() {
                self.expect(key, ",")?;
            }
            self.expect(key, "[")?;
            let a = self.bare(key)?;
            self.expect(key, ",")?;
            pairs.push((a, self.bare(key)?));
            self.expect(key, "]")?;
        }
        self.expect(key, "]")?;
        Ok(pairs)
    }

    pub fn finish(&mut self) -> Result<(), SessionFileError> {
        self.expect("header", "}\n")
    }
}
