//! Records from standard input or a file, line by line.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// The name of standard input.
const DASH: &str = "-";
/// How often a file that grows is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Where records come from.
pub struct Source {
    reader: Box<dyn BufRead + Send>,
    /// The file, if more may be appended to it.
    followed: Option<PathBuf>,
    /// Bytes read of it.
    offset: u64,
    max_bytes: usize,
}

impl Source {
    /// Opens it. `follow` waits for more at the end of a file.
    pub fn open(path: &Path, follow: bool, max_bytes: usize) -> Result<Self> {
        let is_stdin = path == Path::new(DASH);
        let reader: Box<dyn BufRead + Send> = match is_stdin {
            true => Box::new(BufReader::new(io::stdin())),
            false => Box::new(BufReader::new(open(path)?)),
        };
        let followed = (follow && !is_stdin).then(|| path.to_path_buf());
        Ok(Source { reader, followed, offset: 0, max_bytes })
    }

    /// The next record that is not empty, or why it is none; `None` at the end.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn next(&mut self) -> Result<Option<Result<String, String>>> {
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            let line = match line {
                Err(length) => {
                    let most = self.max_bytes;
                    return Ok(Some(Err(format!("a record of {length} bytes: at most {most} (--max-bytes)"))));
                }
                Ok(line) => line,
            };
            let record = match String::from_utf8(line) {
                Ok(record) => record,
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    return Ok(Some(Err(format!("not UTF-8: the first wrong byte is at offset {at}"))));
                }
            };
            let record = record.trim_matches(['\r', '\u{feff}']);
            if !record.trim().is_empty() {
                return Ok(Some(Ok(record.to_string())));
            }
        }
    }

    /// A line without its newline, or its length if it is too long: of that, nothing is kept.
    fn line(&mut self) -> Result<Option<Result<Vec<u8>, u64>>> {
        let (mut line, mut length) = (Vec::new(), 0);
        loop {
            let room = self.max_bytes + 1;
            let mut piece = Vec::new();
            let read = self.reader.by_ref().take(room as u64).read_until(b'\n', &mut piece);
            let read = read.context("cannot read records")? as u64;
            self.offset += read;
            let ends = piece.last() == Some(&b'\n');
            if ends {
                piece.pop();
            }
            length += piece.len() as u64;
            // One byte too many is kept, to tell; after that the rest is only counted.
            if line.len() <= self.max_bytes {
                line.append(&mut piece);
            }
            if !ends && read > 0 {
                continue;
            }
            if !ends && self.wait()? {
                continue;
            }
            return Ok(match length {
                0 if !ends => None,
                _ if line.len() > self.max_bytes => Some(Err(length)),
                _ => Some(Ok(line)),
            });
        }
    }

    /// At the end of what there is: whether there may be more. A file that became shorter is read from its start.
    fn wait(&mut self) -> Result<bool> {
        let Some(path) = &self.followed else { return Ok(false) };
        sleep(PAUSE);
        let length = std::fs::metadata(path).map(|file| file.len());
        if length.is_ok_and(|length| length < self.offset) {
            let mut file = open(path)?;
            file.seek(SeekFrom::Start(0)).context("cannot read records")?;
            (self.reader, self.offset) = (Box::new(BufReader::new(file)), 0);
        }
        Ok(true)
    }
}

fn open(path: &Path) -> Result<File> {
    let what = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(what)?;
    // A folder can be opened, and only reading it fails.
    anyhow::ensure!(!file.metadata().with_context(what)?.is_dir(), "{}: it is a folder; name a file", what());
    Ok(file)
}
