// Models and sessions in a worker, for pages. Every call gives a promise that ends, in a result or in an error whose message
// is a sentence for people; none stays open.

import { best, builds } from "./builds.js";

export { best, builds };

/** Milliseconds without any word from the worker after which it is taken for lost. */
const PATIENCE = { start: 60_000, load: 120_000, stop: 1_000, other: 30_000 };
/** Workers that are started in a row where none answers. */
const MOST_RESTARTS = 3;
/** Largest model file in bytes: a module has four gigabytes of memory, and needs the file and what it makes of it. */
export const LARGEST_MODEL = 2 ** 30;
/** How a BITS file begins: the letters BITS as a number, the lowest byte first. */
const MAGIC = "STIB";

/** A worker with one model at a time. */
export class Engine {
  #worker;
  #pending = new Map();
  #last = 0;
  #source;
  /** Workers that were lost one after the other, without an answer between. */
  #lost = 0;

  /** The build that runs: `plain`, `simd128` or `relaxed_simd`. */
  build;
  /** What is known of the model; nothing before `load`. */
  model;
  /** Bytes of the module's memory, which never shrinks. */
  memory = 0;
  /** Called after the worker was lost and a new one has the model again; sessions are gone then. */
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
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#lose(`the worker failed: ${event.message ?? "its script cannot be loaded"}`);
    };
    this.#worker.onmessageerror = () => this.#lose("a message of the worker could not be read");
    await this.request("start", { build: this.build }, { patience: PATIENCE.start });
  }

  #hear({ id, result, error, batch, dead, memory }) {
    const pending = this.#pending.get(id);
    if (memory) this.memory = memory;
    if (!pending) return;
    if (error === undefined && !batch) this.#lost = 0;
    pending.heard();
    if (batch) {
      pending.onbatch?.(batch);
      return;
    }
    this.#pending.delete(id);
    pending.done();
    if (error === undefined) pending.resolve(result);
    else if (dead) {
      const sentence = "the engine ran out of memory or failed, and was started again";
      pending.reject(new Error(`${sentence} (${error})`));
      this.#lose(sentence);
    } else pending.reject(new Error(error));
  }

  /** Ends the worker, answers everything that is open, and starts a new one with the same model. */
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
    // One that cannot start at all would be started for ever.
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

  /** Sends a request to the worker. The other methods do; a page needs it only for what they lack. */
  request(what, values = {}, { onbatch, patience = PATIENCE.other, transfer = [] } = {}) {
    if (!this.#worker) return Promise.reject(new Error("the engine is starting again: try in a moment"));
    this.#last += 1;
    const id = this.#last;
    const promise = new Promise((resolve, reject) => {
      let timer;
      const done = () => clearTimeout(timer);
      const heard = () => {
        done();
        timer = setTimeout(() => this.#lose(`the engine did not answer within ${patience / 1000} s, and was started again`), patience);
      };
      this.#pending.set(id, { resolve, reject, onbatch, heard, done });
      heard();
    });
    promise.id = id;
    this.#worker.postMessage({ id, what, ...values }, transfer);
    return promise;
  }

  /** Ends the worker as if it had died; a new one takes its place. */
  kill(sentence = "the engine was ended, and started again") {
    this.#lose(sentence);
  }

  /** Ends the worker for good and gives its memory back. */
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
   * Loads a model in place of the one before, which stays if that fails: `file` is an address, a `File` or bytes, and so is
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

  /** A session that has seen nothing yet. */
  async session(sampling) {
    const { session } = await this.request("open", { sampling });
    return new Session(this, session);
  }

  /** Goes on with the bytes of a session file. */
  async resume(file) {
    const { session, position, sampling, last } = await this.request("resume", { file });
    return Object.assign(new Session(this, session), { position, sampling, last });
  }
}

/** Refuses a file that cannot be a model before it is read. */
async function check(file) {
  const megabytes = (bytes) => `${Math.round(bytes / 2 ** 20).toLocaleString("en")} MB`;
  if (file.size > LARGEST_MODEL) {
    throw new Error(`${file.name ?? "the file"} has ${megabytes(file.size)}, and a page holds models up to ${megabytes(LARGEST_MODEL)}`);
  }
  const magic = new TextDecoder("latin1").decode(await file.slice(0, MAGIC.length).arrayBuffer());
  if (magic !== MAGIC) {
    throw new Error(`${file.name ?? "the file"} is not a model: a BITS file begins with the bytes ${MAGIC}`);
  }
}

/** One text in the making. */
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

  /** Takes in the beginning of a text. */
  feed(text) {
    return this.#request("feed", { text });
  }

  /** Makes up to `most` tokens; `onbatch` gets them about once a frame. */
  async generate(most, onbatch) {
    const made = this.#request("generate", { most }, { onbatch });
    this.#generating = made.id;
    try {
      return await made;
    } finally {
      this.#generating = undefined;
    }
  }

  /** Ends `generate` after the token at hand. A worker that does not hear it is replaced. */
  stop() {
    const of = this.#generating;
    if (of === undefined) return;
    // What comes of it is the end of `generate`.
    this.#engine.request("stop", { of }, { patience: PATIENCE.stop }).catch(() => {});
  }

  /** Makes these tokens the next of the text. */
  push(tokens) {
    return this.#request("push", { tokens });
  }

  /** Words that could come at `position`, the likeliest first. */
  alternatives(position, most = 6) {
    return this.#request("alternatives", { position, most });
  }

  /** Takes back the tokens from `position` on. */
  undoTo(position) {
    return this.#request("undoTo", { position });
  }

  /** Where the text is, how far back one can go, and its checksum. */
  look() {
    return this.#request("look");
  }

  /** What every head remembers, a byte a value; 128 is 0. */
  picture() {
    return this.#request("picture");
  }

  /** A session that goes on by itself from here. */
  async fork() {
    const { session } = await this.#request("fork");
    return new Session(this.#engine, session);
  }

  /** The bytes of a session file, which the command goes on with too. */
  save() {
    return this.#request("save");
  }

  /** Gives its memory back. */
  close() {
    return this.#request("close");
  }
}
