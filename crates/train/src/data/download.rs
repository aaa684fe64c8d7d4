//! Downloads a public corpus: an interrupted download resumes, and a file is verified before it gets its name.

use crate::error::Error;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Response, StatusCode};

/// The folder of the TinyStories texts.
pub const TINY_STORIES: &str = "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/main";

/// The TinyStories texts: training (1.9 GB) and validation.
pub const TINY_STORIES_FILES: [&str; 2] = ["TinyStories-train.txt", "TinyStories-valid.txt"];

/// The server's description of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    size: Option<u64>,
    /// SHA-256, if the server states it.
    sha256: Option<String>,
}

/// Downloads `name` from the folder at `base` (a URL) into `folder` and returns its path. An existing file is not
/// downloaded again; a partial one from an interrupted download is resumed. `progress` gets the number of bytes so far,
/// and the total.
///
/// # Errors
/// If the server cannot be reached or refuses, if the connection breaks (the partial file is kept as `name.part`), or
/// if the file's size or SHA-256 differs from the server's (it is then removed).
pub fn download(
    base: &str,
    name: &str,
    folder: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<PathBuf, Error> {
    let (url, path) = (format!("{}/{name}", base.trim_end_matches('/')), folder.join(name));
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    let part = folder.join(format!("{name}.part"));
    let load = Load { agent: agent(), url, part };
    let expected = load.expected()?;
    load.body(&expected, progress)?;
    load.check(&expected)?;
    fs::rename(&load.part, &path).map_err(Error::file("write", &path))?;
    Ok(path)
}

fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build();
    config.into()
}

struct Load {
    agent: Agent,
    url: String,
    part: PathBuf,
}

impl Load {
    /// The error for a failure of the server or the network.
    fn failed(&self, why: impl std::fmt::Display) -> Error {
        Error::Refused(format!(
            "cannot download {}: {why}. Without a network, copy the file from elsewhere and pass it as --input",
            self.url
        ))
    }

    fn removed(&self, why: String) -> Error {
        match fs::remove_file(&self.part) {
            Ok(()) => self.failed(format_args!("{why}; the partial file was removed, try again")),
            Err(error) => Error::file("remove", &self.part)(error),
        }
    }

    /// Requests size and digest. The hub answers for a large file with its digest and a redirect to another server,
    /// which does not know the digest: so the answer is read before following the redirect.
    fn expected(&self) -> Result<Expected, Error> {
        let asked = self.agent.head(&self.url).config().max_redirects(0).max_redirects_will_error(false).build();
        let answer = asked.call().map_err(|error| self.failed(error))?;
        if answer.status().is_client_error() || answer.status().is_server_error() {
            return Err(self.failed(format_args!("the server answers {}", answer.status())));
        }
        let size = header(&answer, "x-linked-size").or_else(|| {
            let whole = answer.status() == StatusCode::OK;
            header(&answer, "content-length").filter(|_| whole)
        });
        let digest = header(&answer, "x-linked-etag").map(|tag| tag.trim_matches('"').to_ascii_lowercase());
        let sha256 = digest.filter(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        Ok(Expected { size: size.and_then(|size| size.parse().ok()), sha256 })
    }

    /// Downloads the missing rest of the partial file.
    fn body(&self, expected: &Expected, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), Error> {
        let mut have = fs::metadata(&self.part).map_or(0, |part| part.len());
        if expected.size == Some(have) {
            return Ok(());
        }
        let mut request = self.agent.get(&self.url);
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
        }
        let answer = request.call().map_err(|error| self.failed(error))?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if have > 0 => {
                let range = header(&answer, "content-range").unwrap_or_default();
                if !range.starts_with(&format!("bytes {have}-")) {
                    return Err(self.failed(format_args!("requested from byte {have} on, the server sent `{range}`")));
                }
            }
            // The server does not support ranges.
            StatusCode::OK => have = 0,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(self.removed(format!("the partial file of {have} bytes is longer than the file")));
            }
            status => return Err(self.failed(format_args!("the server answers {status}"))),
        }
        let mut file = OpenOptions::new();
        let file = file.create(true).write(true).append(have > 0).truncate(have == 0).open(&self.part);
        let mut file = file.map_err(Error::file("write", &self.part))?;
        let mut body = answer.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let broke = |error: io::Error| {
                let of = expected.size.map(|size| format!(" of {size}")).unwrap_or_default();
                self.failed(format_args!("{error} after {have} bytes{of}; the same command resumes from there"))
            };
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) => return Err(broke(error)),
            };
            file.write_all(&buffer[..n]).map_err(Error::file("write", &self.part))?;
            have += n as u64;
            progress(have, expected.size);
        }
        file.sync_all().map_err(Error::file("write", &self.part))
    }

    /// Checks that the partial file is complete.
    fn check(&self, expected: &Expected) -> Result<(), Error> {
        let file = File::open(&self.part).map_err(Error::file("read", &self.part))?;
        let found = file.metadata().map_err(Error::file("read", &self.part))?.len();
        match expected.size {
            Some(size) if found < size => {
                return Err(
                    self.failed(format_args!("{found} of {size} bytes received; the same command resumes from there"))
                );
            }
            Some(size) if found > size => return Err(self.removed(format!("{found} bytes received instead of {size}"))),
            _ => {}
        }
        if let Some(wanted) = &expected.sha256 {
            let found = sha256(file).map_err(Error::file("read", &self.part))?;
            if found != *wanted {
                return Err(self.removed(format!("its SHA-256 is {found}, and must be {wanted}")));
            }
        }
        Ok(())
    }
}

fn header<B>(answer: &Response<B>, name: &str) -> Option<String> {
    answer.headers().get(name)?.to_str().ok().map(str::to_string)
}

fn sha256(mut file: File) -> io::Result<String> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hasher.update(&buffer[..n]),
        }
    }
}
