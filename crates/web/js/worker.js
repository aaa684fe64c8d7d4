// The worker: one module, one model, its sessions. Every request has an id and ends with one message with that id, which
// has either `result` or `error`; a request that generates text sends batches before it.

import init, { Model, Sampling } from "./bitstate.js";
import { address } from "./builds.js";

/** Milliseconds of generation between two checks for messages. */
const SLICE = 8;
/** Milliseconds between two batches: about one frame. */
const FRAME = 15;

let memory;
let model;
const sessions = new Map();
let lastSession = 0;
/** Ids of the requests that generate tokens, by session, and the ids of those asked to stop. */
const busy = new Map();
const stopped = new Set();

// One turn of the event loop. Browsers clamp timers to 4 ms.
const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()();
const turn = () =>
  new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(0);
  });

/** Copies an object of the module into a plain one and frees it. */
function batchOf(object) {
  const { text, tokens, lengths, checks, ended } = object;
  object.free();
  return { text, tokens, lengths, checks, ended };
}

function joined(a, b) {
  if (!a) return b;
  const both = (x, y) => {
    const all = new Uint32Array(x.length + y.length);
    all.set(x);
    all.set(y, x.length);
    return all;
  };
  return {
    text: a.text + b.text,
    tokens: both(a.tokens, b.tokens),
    lengths: both(a.lengths, b.lengths),
    checks: a.checks + b.checks,
    ended: b.ended,
  };
}

function sessionOf({ session }) {
  const found = sessions.get(session);
  if (!found) throw new Error("this session is closed, or its model is no longer loaded: start a new one");
  return found;
}

/** The session of a request, unless another request is changing it. */
function idle(request) {
  const found = sessionOf(request);
  if (busy.has(request.session)) throw new Error("this session is generating tokens: stop it first");
  return found;
}

function keep(session) {
  lastSession += 1;
  sessions.set(lastSession, session);
  return lastSession;
}

async function bytesOf(source, what) {
  if (typeof source === "string" || source instanceof URL) {
    let answer;
    try {
      answer = await fetch(source);
    } catch {
      throw new Error(`${what} cannot be fetched: ${source}; check the network connection`);
    }
    if (!answer.ok) throw new Error(`${what} cannot be fetched: ${source} answered ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  }
  return source instanceof Blob ? new Uint8Array(await source.arrayBuffer()) : source;
}

function samplingOf({ seed, temperature, topK, topP, minP, penalty }) {
  const sampling = new Sampling(BigInt(seed));
  Object.assign(sampling, { temperature, topK, topP, minP, penalty });
  return sampling;
}

const plainSampling = ({ seed, temperature, topK, topP, minP, penalty }) => ({
  seed, temperature, topK, topP, minP, penalty,
});

const requests = {
  async start({ build }) {
    try {
      ({ memory } = await init({ module_or_path: address(build) }));
    } catch (error) {
      throw new Error(`cannot load the module for ${build} (${error.message})`);
    }
    return {};
  },

  async load({ file, tokenizer }) {
    const [bytes, json] = await Promise.all([
      bytesOf(file, "the model"),
      tokenizer ? bytesOf(tokenizer, "the tokenizer") : undefined,
    ]);
    const loaded = new Model(bytes, json);
    for (const session of sessions.values()) session.free();
    sessions.clear();
    model?.free();
    model = loaded;
    const { variant, sha256, vocabSize, layers, heads, headSize, stateBytes } = model;
    const sampling = model.sampling(0n);
    const usual = plainSampling(sampling);
    sampling.free();
    return { variant, sha256, vocabSize, layers, heads, headSize, stateBytes, sampling: usual, bytes: bytes.length };
  },

  open({ sampling }) {
    return { session: keep(model.session(samplingOf(sampling))) };
  },

  resume({ file }) {
    const session = model.resume(file);
    const sampling = session.sampling;
    const usual = plainSampling(sampling);
    sampling.free();
    const { position } = session;
    return { session: keep(session), position: Number(position), sampling: usual, last: batchOf(session.lastTokens()) };
  },

  feed(request) {
    return batchOf(idle(request).feed(request.text));
  },

  async generate(request, id) {
    const session = idle(request);
    let left = request.most;
    let batch;
    let ended = false;
    let sent = 0;
    let spent = 0;
    busy.set(request.session, id);
    try {
      while (left > 0 && !ended && !stopped.has(id)) {
        const start = performance.now();
        const slice = batchOf(session.run(left, SLICE));
        left -= slice.tokens.length;
        ended = slice.ended;
        batch = joined(batch, slice);
        const now = performance.now();
        spent += now - start;
        if (now - sent >= FRAME) {
          postMessage({ id, batch });
          batch = undefined;
          sent = now;
        }
        await turn();
      }
    } finally {
      busy.delete(request.session);
    }
    if (batch) postMessage({ id, batch });
    return { ended, stopped: stopped.delete(id), checksum: session.checksum, spent };
  },

  /** Acknowledged; the request that it stops ends after the current slice. */
  stop() {
    return {};
  },

  push(request) {
    return batchOf(idle(request).push(request.tokens));
  },

  alternatives(request) {
    const found = sessionOf(request).alternatives(BigInt(request.position), request.most);
    return found.map((alternative) => {
      const { tokens, text, probability } = alternative;
      alternative.free();
      return { tokens, text, probability };
    });
  },

  undoTo(request) {
    const session = idle(request);
    session.undoTo(BigInt(request.position));
    return { checksum: session.checksum };
  },

  look(request) {
    const session = sessionOf(request);
    return { oldest: Number(session.oldest), position: Number(session.position), checksum: session.checksum };
  },

  picture(request) {
    return sessionOf(request).picture();
  },

  fork(request) {
    return { session: keep(sessionOf(request).fork()) };
  },

  save(request) {
    return sessionOf(request).toBytes();
  },

  close(request) {
    idle(request).free();
    sessions.delete(request.session);
    return {};
  },
};

addEventListener("message", async ({ data }) => {
  const { id, what, ...request } = data;
  if (what === "stop" && [...busy.values()].includes(request.of)) stopped.add(request.of);
  try {
    const result = await requests[what](request, id);
    postMessage({ id, result, memory: memory?.buffer.byteLength });
  } catch (error) {
    // After a trap, nothing in the module can be trusted.
    const dead = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
    postMessage({ id, error: error instanceof Error ? error.message : String(error), dead });
  }
});
