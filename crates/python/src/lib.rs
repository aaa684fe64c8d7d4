//! The native part of the Python package `bitstate`: users import `python/bitstate/__init__.py`.

use bitstate::{Continuation, Error, Sampling, Stop};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::sync::{Mutex, TryLockError};

create_exception!(bitstate, BitstateError, PyException, "An invalid file, text or parameter.");

fn refused(error: impl std::fmt::Display) -> PyErr {
    BitstateError::new_err(error.to_string())
}

/// A model, prepared for this machine.
#[pyclass(frozen, module = "bitstate._native")]
struct Model(bitstate::Model);

#[pymethods]
impl Model {
    #[new]
    fn new(py: Python<'_>, path: &str) -> PyResult<Self> {
        py.detach(|| bitstate::Model::open(path)).map(Model).map_err(refused)
    }

    #[getter]
    fn vocab_size(&self) -> usize {
        self.0.config().vocab_size
    }

    #[getter]
    fn variant(&self) -> &'static str {
        self.0.variant().name()
    }

    #[getter]
    fn sha256(&self) -> &str {
        self.0.sha256()
    }

    fn encode(&self, py: Python<'_>, text: &str) -> PyResult<Vec<u32>> {
        py.detach(|| self.tokenizer()?.encode(text).map_err(refused))
    }

    fn decode(&self, tokens: Vec<u32>) -> PyResult<String> {
        Ok(self.tokenizer()?.decode(&tokens))
    }

    #[pyo3(signature = (**sampling))]
    fn session(&self, sampling: Option<&Bound<'_, PyDict>>) -> PyResult<Session> {
        let mut chosen = self.0.sampling(0);
        for (name, value) in sampling.into_iter().flatten() {
            set(&mut chosen, &name.extract::<String>()?, &value)?;
        }
        self.0.session(chosen).map(Session::new).map_err(refused)
    }

    fn resume(&self, saved: &[u8]) -> PyResult<Session> {
        self.0.resume(saved).map(Session::new).map_err(refused)
    }

    fn __repr__(&self) -> String {
        format!("<bitstate.Model of {} tokens, {}>", self.vocab_size(), self.variant())
    }
}

impl Model {
    fn tokenizer(&self) -> PyResult<&bitstate::tokenizer::Tokenizer> {
        let message = "the model's tokens have no text: put its tokenizer.json next to it, or use token ids";
        self.0.tokenizer().ok_or_else(|| refused(message))
    }
}

/// Sets a parameter by its name.
fn set(sampling: &mut Sampling, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    fn of<'py, T>(name: &str, value: &Bound<'py, PyAny>) -> PyResult<T>
    where
        T: for<'a> FromPyObject<'a, 'py>,
    {
        match value.extract::<T>() {
            Ok(value) => Ok(value),
            Err(error) => {
                let error: PyErr = error.into();
                Err(PyTypeError::new_err(format!("{name}: {}", error.value(value.py()))))
            }
        }
    }
    match name {
        "seed" => sampling.seed = of(name, value)?,
        "temperature" => sampling.temperature = of(name, value)?,
        "top_k" => sampling.top_k = of(name, value)?,
        "top_p" => sampling.top_p = of(name, value)?,
        "min_p" => sampling.min_p = of(name, value)?,
        "typical_p" => sampling.typical_p = of(name, value)?,
        "penalty" => sampling.penalty = of(name, value)?,
        "repetition" => sampling.repetition = of(name, value)?,
        "presence" => sampling.presence = of(name, value)?,
        "frequency" => sampling.frequency = of(name, value)?,
        "window" => sampling.window = of(name, value)?,
        "bias" => {
            let bias: std::collections::BTreeMap<u32, f32> = of(name, value)?;
            sampling.bias = bias.into_iter().collect();
        }
        _ => {
            let message = format!(
                "there is no parameter {name}; use seed, temperature, top_k, top_p, min_p, typical_p, penalty, repetition, \
                 presence, frequency, window or bias"
            );
            return Err(PyTypeError::new_err(message));
        }
    }
    Ok(())
}

/// A text being generated.
#[pyclass(frozen, module = "bitstate._native")]
struct Session(Mutex<Inner>);

enum Inner {
    Free(Box<bitstate::Session>),
    /// The text in progress, piece by piece; any other call ends it.
    Writing(Box<Continuation>),
    Closed,
}

impl Session {
    fn new(session: bitstate::Session) -> Self {
        Session(Mutex::new(Inner::Free(Box::new(session))))
    }

    /// Runs `work` with the session, while other Python threads run.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut bitstate::Session) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.inner(py, |inner| {
            *inner = match std::mem::replace(inner, Inner::Closed) {
                Inner::Writing(writing) => Inner::Free(Box::new(writing.into_session())),
                other => other,
            };
            match inner {
                Inner::Free(session) => work(session).map_err(refused),
                _ => Err(closed()),
            }
        })
    }

    fn inner<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Inner) -> PyResult<T> + Send) -> PyResult<T> {
        py.detach(|| match self.0.try_lock() {
            Ok(mut inner) => work(&mut inner),
            Err(TryLockError::WouldBlock) => {
                Err(refused("another thread is using this session: use it from one thread at a time, or fork() it"))
            }
            Err(TryLockError::Poisoned(_)) => {
                Err(refused("this session is inconsistent because of a bug: create another"))
            }
        })
    }
}

fn closed() -> PyErr {
    refused("the session is closed: create another with Model.session, or resume a saved one")
}

#[pymethods]
impl Session {
    fn feed(&self, py: Python<'_>, tokens: Vec<u32>) -> PyResult<()> {
        self.with(py, |session| session.feed(&tokens))
    }

    fn feed_text(&self, py: Python<'_>, text: &str) -> PyResult<()> {
        self.with(py, |session| session.feed_text(text))
    }

    fn next_token(&self, py: Python<'_>) -> PyResult<u32> {
        self.with(py, bitstate::Session::next_token)
    }

    /// Starts a text; `piece` returns its pieces.
    fn begin(&self, py: Python<'_>, max_tokens: u64, stop: Vec<String>) -> PyResult<()> {
        self.with(py, |_| Ok(()))?;
        self.inner(py, |inner| {
            let Inner::Free(session) = std::mem::replace(inner, Inner::Closed) else { return Err(closed()) };
            let limit = Stop::new().max_tokens(max_tokens);
            let stop = stop.into_iter().fold(limit, |limit, text| limit.text(text));
            *inner = Inner::Writing(Box::new(Continuation::new(*session, stop)));
            Ok(())
        })
    }

    /// The next piece, possibly empty; `None` at the end.
    fn piece(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.inner(py, |inner| {
            let writing = match inner {
                Inner::Writing(writing) => writing,
                Inner::Free(_) => return Ok(None),
                Inner::Closed => return Err(closed()),
            };
            if let Some(piece) = writing.step().map_err(refused)? {
                return Ok(Some(piece.text));
            }
            let last = writing.finish();
            if let Inner::Writing(writing) = std::mem::replace(inner, Inner::Closed) {
                *inner = Inner::Free(Box::new(writing.into_session()));
            }
            Ok(Some(last))
        })
    }

    /// As bytes, f32 little-endian.
    fn logits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.with(py, |session| {
            Ok(session.logits()?.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[getter]
    fn position(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |session| Ok(session.position()))
    }

    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.with(py, |session| Ok(session.to_bytes()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn fork(&self, py: Python<'_>) -> PyResult<Session> {
        self.with(py, |session| Ok(Session::new(session.clone())))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.inner(py, |inner| {
            *inner = Inner::Closed;
            Ok(())
        })
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.position(py) {
            Ok(position) => format!("<bitstate.Session of {position} tokens>"),
            Err(_) => "<bitstate.Session, closed or in use>".into(),
        }
    }
}

#[pymodule(name = "_native")]
mod native {
    #[pymodule_export]
    use super::{BitstateError, Model, Session};

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
