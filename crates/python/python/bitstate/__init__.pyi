from collections.abc import Iterator, Mapping, Sequence
from os import PathLike

import numpy as np
import numpy.typing as npt

from ._native import BitstateError as BitstateError
from ._native import Session as _Session

__version__: str


class Model:
    def __init__(self, path: str | PathLike[str]) -> None: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def variant(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    def encode(self, text: str) -> npt.NDArray[np.uint32]: ...
    def decode(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> str: ...
    def session(
        self,
        *,
        seed: int = ...,
        temperature: float = ...,
        top_k: int = ...,
        top_p: float = ...,
        min_p: float = ...,
        typical_p: float = ...,
        penalty: float = ...,
        repetition: float = ...,
        presence: float = ...,
        frequency: float = ...,
        window: int = ...,
        bias: Mapping[int, float] = ...,
    ) -> Session: ...
    def resume(self, saved: bytes) -> Session: ...
    def generate(
        self,
        prompt: str,
        *,
        max_tokens: int = ...,
        stop: Sequence[str] = ...,
        seed: int = ...,
        temperature: float = ...,
        top_k: int = ...,
        top_p: float = ...,
        min_p: float = ...,
        typical_p: float = ...,
        penalty: float = ...,
        repetition: float = ...,
        presence: float = ...,
        frequency: float = ...,
        window: int = ...,
        bias: Mapping[int, float] = ...,
    ) -> str: ...

class Session:
    def __init__(self, session: _Session, vocab_size: int) -> None: ...
    def feed(self, prompt: str | Sequence[int] | npt.NDArray[np.integer]) -> None: ...
    def next_token(self) -> int: ...
    def text(self, *, max_tokens: int = ..., stop: Sequence[str] = ...) -> Iterator[str]: ...
    def logits(self, out: npt.NDArray[np.float32] | None = ...) -> npt.NDArray[np.float32]: ...
    @property
    def position(self) -> int: ...
    def save(self) -> bytes: ...
    def fork(self) -> Session: ...
    def close(self) -> None: ...
    def __enter__(self) -> Session: ...
    def __exit__(self, *arguments: object) -> None: ...

def generate(path: str | PathLike[str], prompt: str, **options: object) -> str: ...
