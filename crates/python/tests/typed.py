"""Uses of the package for the type checker."""

import numpy as np
import numpy.typing as npt

import bitstate

model = bitstate.Model("model.bits")
text: str = model.generate("Once", max_tokens=5, seed=1, temperature=0.5)
with model.session(seed=1) as session:
    session.feed(np.array([1, 2], dtype=np.uint32))
    logits: npt.NDArray[np.float32] = session.logits()
    pieces: list[str] = list(session.text(stop=["."]))
    saved: bytes = session.save()
