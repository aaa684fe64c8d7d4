"""Checks the package in the built wheel: `check.py MODEL`."""

import sys
import threading

import numpy as np

import bitstate

path = sys.argv[1]
model = bitstate.Model(path)
assert (model.vocab_size, len(model.sha256)) == (256, 64)
assert "256 tokens" in repr(model)


def refused(error, part, call, *arguments, **options):
    """Checks that the call raises `error` with a message that contains `part`."""
    try:
        call(*arguments, **options)
    except error as raised:
        assert part in str(raised), raised
    else:
        raise AssertionError(f"{call} did not raise {error}")


# Text.
assert model.decode(model.encode("Grüße")) == "Grüße"
assert model.encode("Grüße").dtype == np.uint32
story = model.generate("Once upon a time", max_tokens=120, seed=42)
assert story == bitstate.generate(path, "Once upon a time", max_tokens=120, seed=42)
assert story != model.generate("Once upon a time", max_tokens=120, seed=43)
print(f"story: {story!r}")
assert "." not in model.generate("Once upon a time", max_tokens=200, seed=1, stop=["."])
assert "." not in model.generate("Once upon a time", max_tokens=200, seed=1, stop=".")

# A session piece by piece, saved in the middle, resumed: the same as without the interruption.
whole = model.session(seed=7, bias={101: -1.0})
whole.feed("Once upon a time")
unbroken = [whole.next_token() for _ in range(60)]
part = model.session(seed=7, bias={101: -1.0})
part.feed(np.frombuffer(b"Once upon a time", dtype=np.uint8))
tokens = [part.next_token() for _ in range(30)]
resumed = model.resume(part.save())
fork = part.fork()
assert tokens + [resumed.next_token() for _ in range(30)] == unbroken
assert tokens + [fork.next_token() for _ in range(30)] == unbroken
assert (whole.position, part.position) == (76, 46)

# Logits as NumPy: greedy chooses the largest.
greedy = model.session(temperature=0)
greedy.feed([79, 110, 99, 101])
logits = greedy.logits()
assert (logits.dtype, logits.shape) == (np.float32, (256,))
room = np.empty(256, dtype=np.float32)
assert greedy.logits(out=room) is room and (room == logits).all()
assert greedy.next_token() == int(logits.argmax())

# A text that is abandoned in the middle can be continued.
pieces = greedy.text(max_tokens=50)
next(pieces)
position = greedy.position
greedy.next_token()
assert greedy.position == position + 1

# Wrong dtypes, shapes, parameters.
refused(TypeError, "float64", greedy.feed, np.array([1.0, 2.0]))
refused(ValueError, "2 dimensions", greedy.feed, np.zeros((2, 2), dtype=np.uint32))
refused(OverflowError, "", greedy.feed, [-1])
refused(bitstate.BitstateError, "token 256", greedy.feed, [256])
refused(TypeError, "float64", greedy.logits, out=np.empty(256))
refused(ValueError, "(255,)", greedy.logits, out=np.empty(255, dtype=np.float32))
refused(bitstate.BitstateError, "temperature", model.session, temperature=-1.0)
refused(TypeError, "temperature", model.session, temperature="hot")
refused(TypeError, "no parameter heat", model.session, heat=1)
refused(bitstate.BitstateError, "none.bits", bitstate.Model, "none.bits")
refused(bitstate.BitstateError, "", model.resume, b"no session")
refused(bitstate.BitstateError, "U+0000", model.encode, "a\0b")
refused(bitstate.BitstateError, "had no token", model.session().logits)

# A closed session.
with model.session() as session:
    session.feed("a")
for call in (session.next_token, session.logits, session.save, session.fork, lambda: session.feed("a")):
    refused(bitstate.BitstateError, "closed", call)
session.close()
assert "closed" in repr(session)

# One session in four threads: each call succeeds or is rejected; separate sessions run in parallel.
shared, failures = model.session(seed=1), []
shared.feed("Once")


def use():
    for _ in range(500):
        try:
            shared.next_token()
        except bitstate.BitstateError as error:
            if "another thread" not in str(error):
                failures.append(error)


threads = [threading.Thread(target=use) for _ in range(4)]
results = [None] * 4


def own(i):
    results[i] = model.generate("Once upon a time", max_tokens=120, seed=42)


threads += [threading.Thread(target=own, args=(i,)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures
assert results == [story] * 4
print("all is as expected")
