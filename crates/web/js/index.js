// Models and sessions in a worker, for pages. Every call returns a promise that settles: with a result, or with an error whose
// message can be shown to users.

import { best, builds } from "./builds.js";

export { best, builds };

/** Milliseconds without an answer after which the worker is considered lost. */
const PATIENCE = { start: 60_000, load: 120_000, stop: 1_000, other: 30_000 };
/** Restarts in a row without an answer before giving up. */
const MOST_RESTARTS = 3;
/** Largest model file in bytes: a module has 4 GB of memory, and needs the file and the model made from it. */
export const LARGEST_MODEL = 2 ** 30;
/** First bytes of a BITS file: the letters BITS as a little-endian number. */
const MAGIC = "STIB";

/** A worker with one model at a time. */
export class Engine {
  #worker;
  #pending = new Map();
  #last = 0;
  #source;
  /** Workers lost in a row without an answer. */
  #lost = 0;

  /** The build that runs: `plain`, `simd128` or `relaxed_simd`. */
  build;
  /** Properties of the model; undefined before `load`. */
  model;
  /** Size of the module's memory in bytes; it never shrinks. */
  memory = 0;
  /** Called after a lost worker was replaced, with an error if that failed. All sessions are gone then. */
  onrestart = () => {};

  /** Starts a worker with the fastest build that runs here, or the one named. */
  static async start({ build = best().name } = {}) {
    const engine = new Engine();
    engine.build = build;
    await engine.#begin();
    return engine;
  }

  async #begin() {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#lose(`the worker failed: ${event.message ?? "cannot load its script"}`);
    };
    this.#worker.onmessageerror = () => this.#lose("cannot read a message from the worker");
    await this.request("start", { build: this.build }, { patience: PATIENCE.start });
  }

  #receive({ id, result, error, batch, dead, memory }) {
    const pending = this.#pending.get(id);
    if (memory) this.memory = memory;
    if (!pending) return;
    if (error === undefined && !batch) this.#lost = 0;
    pending.restartTimer();
    if (batch) {
      pending.onbatch?.(batch);
      return;
    }
    this.#pending.delete(id);
    pending.done();
    if (error === undefined) pending.resolve(result);
    else if (dead) {
      const sentence = "the engine ran out of memory or failed, and was restarted";
      pending.reject(new Error(`${sentence} (${error})`));
      this.#lose(sentence);
    } else pending.reject(new Error(error));
  }

  /** Terminates the worker, rejects all open requests, and starts a new worker with the same model. */
  #lose(sentence) {
    if (!this.#worker) return;
    this.#worker.terminate();
    this.#worker = undefined;
    this.model = undefined;
    for (const pending of this.#pending.values()) {
      pending.done();
      pending.reject(new Error(sentence));
    }
    this.#pending.clear();
    this.#lost += 1;
    // A worker that can never start must not be restarted forever.
    if (this.#lost <= MOST_RESTARTS) this.#again();
    else this.onrestart(new Error(sentence));
  }

  async #again() {
    try {
      await this.#begin();
      if (this.#source) await this.#load();
      this.onrestart();
    } catch (error) {
      this.onrestart(error);
    }
  }

  /** Sends a request to the worker. The other methods call it; a page needs it only for requests without a method. */
  request(what, values = {}, { onbatch, patience = PATIENCE.other, transfer = [] } = {}) {
    if (!this.#worker) return Promise.reject(new Error("the engine is restarting: try again in a moment"));
    this.#last += 1;
    const id = this.#last;
    const promise = new Promise((resolve, reject) => {
      let timer;
      const done = () => clearTimeout(timer);
      const restartTimer = () => {
        done();
        timer = setTimeout(() => this.#lose(`the engine did not answer within ${patience / 1000} s and was restarted`), patience);
      };
      this.#pending.set(id, { resolve, reject, onbatch, restartTimer, done });
      restartTimer();
    });
    promise.id = id;
    this.#worker.postMessage({ id, what, ...values }, transfer);
    return promise;
  }

  /** Terminates the worker as if it had crashed; a new one replaces it. */
  kill(sentence = "the engine was terminated and restarted") {
    this.#lose(sentence);
  }

  /** Terminates the worker and frees its memory. */
  close() {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const pending of this.#pending.values()) {
      pending.done();
      pending.reject(new Error("the engine was closed"));
    }
    this.#pending.clear();
  }

  /**
   * Loads a model in place of the current one, which stays if loading fails. `file` is a URL, a `File` or bytes, and so is
   * `tokenizer`, the `tokenizer.json` of a model whose tokens are not bytes.
   */
  async load({ file, tokenizer }) {
    if (file instanceof Blob) await check(file);
    const absolute = (source) => (typeof source === "string" ? new URL(source, document.baseURI).href : source);
    const before = this.#source;
    this.#source = { file: absolute(file), tokenizer: absolute(tokenizer) };
    try {
      return await this.#load();
    } catch (error) {
      this.#source = before;
      throw error;
    }
  }

  async #load() {
    this.model = await this.request("load", this.#source, { patience: PATIENCE.load });
    return this.model;
  }

  /** A new, empty session. */
  async session(sampling) {
    const { session } = await this.request("open", { sampling });
    return new Session(this, session);
  }

  /** Resumes a session from the bytes of a session file. */
  async resume(file) {
    const { session, position, sampling, last } = await this.request("resume", { file });
    return Object.assign(new Session(this, session), { position, sampling, last });
  }
}

/** Rejects a file that cannot be a model before reading it. */
async function check(file) {
  const megabytes = (bytes) => `${Math.round(bytes / 2 ** 20).toLocaleString("en")} MB`;
  if (file.size > LARGEST_MODEL) {
    throw new Error(`${file.name ?? "the file"} has ${megabytes(file.size)}; the page supports models of up to ${megabytes(LARGEST_MODEL)}`);
  }
  const magic = new TextDecoder("latin1").decode(await file.slice(0, MAGIC.length).arrayBuffer());
  if (magic !== MAGIC) {
    throw new Error(`${file.name ?? "the file"} is not a model file: a BITS file begins with the bytes ${MAGIC}`);
  }
}

/** One text being generated. */
export class Session {
  #engine;
  #key;
  #generating;

  constructor(engine, key) {
    this.#engine = engine;
    this.#key = key;
  }

  #request(what, values, options) {
    return this.#engine.request(what, { session: this.#key, ...values }, options);
  }

  /** Feeds a prompt. */
  feed(text) {
    return this.#request("feed", { text });
  }

  /** Generates up to `most` tokens; `onbatch` receives them about once per frame. */
  async generate(most, onbatch) {
    const made = this.#request("generate", { most }, { onbatch });
    this.#generating = made.id;
    try {
      return await made;
    } finally {
      this.#generating = undefined;
    }
  }

  /** Ends `generate` after the current token. A worker that does not react is replaced. */
  stop() {
    const of = this.#generating;
    if (of === undefined) return;
    // The result is that `generate` ends.
    this.#engine.request("stop", { of }, { patience: PATIENCE.stop }).catch(() => {});
  }

  /** Appends these tokens to the text. */
  push(tokens) {
    return this.#request("push", { tokens });
  }

  /** Words that could follow at `position`, likeliest first. */
  alternatives(position, most = 6) {
    return this.#request("alternatives", { position, most });
  }

  /** Removes the tokens from `position` on. */
  undoTo(position) {
    return this.#request("undoTo", { position });
  }

  /** The position in the text, the oldest position to go back to, and the checksum. */
  look() {
    return this.#request("look");
  }

  /** The state of every head, one byte per value; 128 is 0. */
  picture() {
    return this.#request("picture");
  }

  /** An independent copy of the session. */
  async fork() {
    const { session } = await this.#request("fork");
    return new Session(this.#engine, session);
  }

  /** The bytes of a session file, which the command line can resume as well. */
  save() {
    return this.#request("save");
  }

  /** Frees its memory. */
  close() {
    return this.#request("close");
  }
}
