"""Generates a story with ctypes only: story.py LIBRARY MODEL SEED TOKENS. The package `bitstate` is more convenient."""

import ctypes
import sys

END = 1


class Sampling(ctypes.Structure):
    """BitstateSampling of bitstate.h."""

    _fields_ = [("size", ctypes.c_size_t), ("seed", ctypes.c_uint64)] + [
        (name, ctypes.c_float)
        for name in ("temperature", "top_p", "min_p", "typical_p", "penalty", "repetition", "presence", "frequency")
    ] + [("top_k", ctypes.c_uint32), ("window", ctypes.c_uint32)]


def load(path):
    """The library; failed calls raise an exception with the message."""
    library = ctypes.CDLL(path)
    library.bitstate_last_error.restype = ctypes.c_size_t
    library.bitstate_last_error.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

    def check(status, function, arguments):
        if status < 0:
            message = ctypes.create_string_buffer(1024)
            length = library.bitstate_last_error(message, len(message))
            raise RuntimeError(message.raw[: min(length, len(message))].decode("utf-8", "replace"))
        return status

    pointer, size, handle = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
    for name, arguments in {
        "model_open": [ctypes.c_char_p, size, pointer],
        "model_free": [handle],
        "sampling_default": [handle, ctypes.c_uint64, pointer],
        "session_new": [handle, pointer, pointer],
        "session_free": [handle],
        "session_feed_text": [handle, ctypes.c_char_p, size],
        "session_next": [handle, pointer],
        "session_text": [handle, ctypes.c_char_p, size, pointer],
    }.items():
        function = getattr(library, f"bitstate_{name}")
        function.argtypes, function.restype, function.errcheck = arguments, ctypes.c_int32, check
    return library


def story(library, path, prompt, seed, tokens):
    """The text generated after `prompt`."""
    model, session = ctypes.c_uint64(), ctypes.c_uint64()
    token, length, room = ctypes.c_uint32(), ctypes.c_size_t(), ctypes.create_string_buffer(256)
    library.bitstate_model_open(path.encode(), len(path.encode()), ctypes.byref(model))
    sampling = Sampling(size=ctypes.sizeof(Sampling))
    library.bitstate_sampling_default(model, seed, ctypes.byref(sampling))
    library.bitstate_session_new(model, ctypes.byref(sampling), ctypes.byref(session))
    library.bitstate_session_feed_text(session, prompt.encode(), len(prompt.encode()))
    text = b""
    for _ in range(tokens):
        status = library.bitstate_session_next(session, ctypes.byref(token))
        library.bitstate_session_text(session, room, len(room), ctypes.byref(length))
        text += room.raw[: length.value]
        if status == END:
            break
    library.bitstate_session_free(session)
    library.bitstate_model_free(model)
    return text.decode()


if __name__ == "__main__":
    _, library, model, seed, tokens = sys.argv
    prompt = "Once upon a time"
    print(prompt + story(load(library), model, prompt, int(seed), int(tokens)))
