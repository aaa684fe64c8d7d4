"""Calls a server with OpenAI's own client: `calls.py http://localhost:PORT/v1`."""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="a-key-of-some-length", max_retries=0)

models = client.models.list().data
assert len(models) == 1, models
model = models[0].id
assert client.models.retrieve(model).id == model

# A completion, complete and as a stream: the same text and the same digest.
settings = dict(model=model, prompt="Once upon a time", max_tokens=40, seed=7, temperature=0.7, logprobs=2)
whole = client.completions.create(**settings)
choice = whole.choices[0]
assert whole.usage.completion_tokens == choice.bitstate["tokens"] <= 40
assert len(choice.logprobs.tokens) == choice.bitstate["tokens"]
assert len(choice.logprobs.top_logprobs[0]) == 2
text, digest, usage = "", None, None
for chunk in client.completions.create(**settings, stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    for part in chunk.choices:
        text += part.text
        digest = getattr(part, "bitstate", {}).get("digest", digest)
assert (text, digest, usage) == (choice.text, choice.bitstate["digest"], whole.usage)

# Tokens as a prompt, and a parameter specific to this server.
tokens = client.completions.create(model=model, prompt=[79, 110, 99, 101], max_tokens=5, extra_body={"top_k": 1})
assert tokens.choices[0].bitstate["recipe"]["top_k"] == 1

# A chat, complete and as a stream.
talk = dict(model=model, messages=[{"role": "user", "content": "Once upon a time"}], max_completion_tokens=30, seed=7, n=2,
            logprobs=True, top_logprobs=3)
whole = client.chat.completions.create(**talk)
assert [choice.index for choice in whole.choices] == [0, 1]
assert len(whole.choices[0].logprobs.content[0].top_logprobs) == 3
texts = ["", ""]
for chunk in client.chat.completions.create(**talk, stream=True):
    for part in chunk.choices:
        texts[part.index] += part.delta.content or ""
assert texts == [choice.message.content for choice in whole.choices]

# A stop text, and rejected requests with their fields.
stopped = client.completions.create(model=model, prompt="Once upon a time", max_tokens=200, stop=["."], seed=1)
assert stopped.choices[0].finish_reason == "stop" and "." not in stopped.choices[0].text
for wrong, error, param in [
    (dict(model="gpt-5"), openai.NotFoundError, "model"),
    (dict(echo=True), openai.BadRequestError, "echo"),
    (dict(temperature=-1), openai.BadRequestError, "temperature"),
]:
    try:
        client.completions.create(**{"model": model, "prompt": "a", **wrong})
    except error as refused:
        assert refused.param == param, refused
    else:
        raise AssertionError(f"{wrong} was accepted")
try:
    client.with_options(api_key="wrong").models.list()
except openai.AuthenticationError:
    pass
else:
    raise AssertionError("a wrong key was accepted")

# A stream that is abandoned in the middle.
with client.completions.create(model=model, prompt="a", max_tokens=4000, stream=True, extra_body={"ignore_end": True}) as stream:
    next(iter(stream))
print("all calls are as expected")
