"""Small ternary RWKV language models: text in, text out, the same bits on every machine, in constant memory.

>>> import bitstate
>>> model = bitstate.Model("model.bits")
>>> model.generate("Once upon a time", max_tokens=50, seed=42)  # doctest: +SKIP
>>> with model.session(seed=42) as session:  # doctest: +SKIP
...     session.feed("Once upon a time")
...     for piece in session.text(max_tokens=50):
...         print(piece, end="")
"""

from __future__ import annotations

from typing import Iterator, Sequence

import numpy as np

from ._native import BitstateError, Model as _Model, Session as _Session, __version__

__all__ = ["BitstateError", "Model", "Session", "generate", "__version__"]


def _tokens(tokens) -> list[int]:
    """Token ids as a one-dimensional array of whole numbers."""
    array = np.asarray(tokens)
    if array.ndim != 1:
        raise ValueError(f"tokens have {array.ndim} dimensions: give a one-dimensional array")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"tokens have the dtype {array.dtype}: give whole numbers, such as numpy.uint32")
    return array.tolist()


class Model:
    """A model, prepared for this machine. Sessions on any thread can use it."""

    def __init__(self, path):
        self._model = _Model(str(path))

    @property
    def vocab_size(self) -> int:
        """Size of the vocabulary, which is also the number of logits."""
        return self._model.vocab_size

    @property
    def variant(self) -> str:
        """The kernel variant in use; it only changes the speed."""
        return self._model.variant

    @property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        return self._model.sha256

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, as uint32."""
        return np.array(self._model.encode(text), dtype=np.uint32)

    def decode(self, tokens) -> str:
        """The text of tokens."""
        return self._model.decode(_tokens(tokens))

    def session(self, **sampling) -> Session:
        """A new, empty session.

        How tokens are chosen: seed, temperature, top_k, top_p, min_p, typical_p, penalty, repetition, presence,
        frequency, window, bias (a dict of tokens); the model's own way where they are not given.
        """
        return Session(self._model.session(**sampling), self.vocab_size)

    def resume(self, saved: bytes) -> Session:
        """Resumes what `Session.save` returned, on any machine, with the same bits as without the interruption."""
        return Session(self._model.resume(saved), self.vocab_size)

    def generate(self, prompt: str, *, max_tokens: int = 64, stop: Sequence[str] = (), **sampling) -> str:
        """The text generated after `prompt`."""
        with self.session(**sampling) as session:
            session.feed(prompt)
            return "".join(session.text(max_tokens=max_tokens, stop=stop))

    def __repr__(self) -> str:
        return repr(self._model)


class Session:
    """A text being generated. Its memory does not grow with the text."""

    def __init__(self, session: _Session, vocab_size: int):
        self._session = session
        self._vocab_size = vocab_size

    def feed(self, prompt) -> None:
        """Feeds text or token ids."""
        if isinstance(prompt, str):
            self._session.feed_text(prompt)
        else:
            self._session.feed(_tokens(prompt))

    def next_token(self) -> int:
        """Generates the next token, even if the model would end the text."""
        return self._session.next_token()

    def text(self, *, max_tokens: int = 64, stop: Sequence[str] = ()) -> Iterator[str]:
        """Yields text as it is generated, in whole characters, until the model ends it, `max_tokens`, or a text in `stop`."""
        if isinstance(stop, str):
            stop = [stop]
        self._session.begin(max_tokens, list(stop))
        while (piece := self._session.piece()) is not None:
            if piece:
                yield piece

    def logits(self, out: np.ndarray | None = None) -> np.ndarray:
        """The logits of the next token as float32; in `out` if it is given."""
        logits = np.frombuffer(self._session.logits(), dtype="<f4")
        if out is None:
            return logits.astype(np.float32)
        if not isinstance(out, np.ndarray) or out.dtype != np.float32:
            raise TypeError(f"out has the dtype {getattr(out, 'dtype', type(out).__name__)}: give numpy.float32")
        if out.shape != logits.shape:
            raise ValueError(f"out has the shape {out.shape}: give {logits.shape}")
        out[:] = logits
        return out

    @property
    def position(self) -> int:
        """Number of tokens of the text, including prompts."""
        return self._session.position

    def save(self) -> bytes:
        """A session file, for `Model.resume`."""
        return self._session.save()

    def fork(self) -> Session:
        """An independent copy of the session."""
        return Session(self._session.fork(), self._vocab_size)

    def close(self) -> None:
        """Frees its memory; the session can no longer be used."""
        self._session.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._session)


def generate(path, prompt: str, **options) -> str:
    """`Model(path).generate(prompt, ...)`, for one text."""
    return Model(path).generate(prompt, **options)
