/** Models and sessions in a worker. Every promise ends, in a result or in an `Error` whose message is a sentence. */

export interface Build {
  name: "plain" | "simd128" | "relaxed_simd";
  /** Whether this browser runs it. */
  runs: boolean;
  why: string;
}

/** The builds, the slowest first. */
export function builds(): Build[];
/** The fastest build that runs here. */
export function best(): Build;

/** Largest model file in bytes. */
export const LARGEST_MODEL: number;

/** How a token is chosen. */
export interface Sampling {
  /** The same seed gives the same text on every machine: a whole number below 2^64. */
  seed: bigint | number;
  /** 0 always takes the likeliest token. */
  temperature: number;
  /** Tokens kept of the likeliest; 0 keeps all. */
  topK: number;
  /** Share of the probability that is kept, in (0, 1]. */
  topP: number;
  /** What is less likely than this share of the likeliest is left out. */
  minP: number;
  /** 1 is none. */
  penalty: number;
}

export interface ModelInfo {
  /** The kernels that run: `generic`, `lut`, `simd128` or `relaxed_simd`. */
  variant: string;
  /** SHA-256 of the file in hex. */
  sha256: string;
  vocabSize: number;
  layers: number;
  heads: number;
  headSize: number;
  /** Bytes of what a session remembers, however long its text. */
  stateBytes: number;
  /** Bytes of the file. */
  bytes: number;
  /** How to sample unless told otherwise. */
  sampling: Sampling;
}

export interface Batch {
  text: string;
  tokens: Uint32Array;
  /** UTF-16 code units of the text of each token. */
  lengths: Uint32Array;
  /** The last six bits of the checksum of each token, as a digit of base64url. */
  checks: string;
  /** Whether the model has ended the text. */
  ended: boolean;
}

export interface Generated {
  ended: boolean;
  stopped: boolean;
  /** Of the whole text: over its tokens and the bits of the logits that each was chosen from. */
  checksum: string;
  /** Milliseconds that the tokens took, without what lies between two slices. */
  spent: number;
}

export interface Alternative {
  tokens: Uint32Array;
  text: string;
  probability: number;
}

/** A file by its address, as a file of the visitor's, or its bytes. */
export type Source = string | URL | Blob | Uint8Array;

/** A worker with one model at a time. */
export class Engine {
  static start(options?: { build?: Build["name"] }): Promise<Engine>;
  readonly build: Build["name"];
  readonly model?: ModelInfo;
  /** Bytes of the module's memory, which never shrinks. */
  readonly memory: number;
  /** Called when a worker that was lost has been replaced; sessions are gone then. With an error where that failed. */
  onrestart: (error?: Error) => void;
  load(source: { file: Source; tokenizer?: Source }): Promise<ModelInfo>;
  session(sampling: Sampling): Promise<Session>;
  resume(file: Uint8Array): Promise<Session & { position: number; sampling: Sampling; last: Batch }>;
  /** Ends the worker and starts a new one with the same model. */
  kill(sentence?: string): void;
  /** Ends the worker for good. */
  close(): void;
}

/** One text in the making. */
export class Session {
  feed(text: string): Promise<Batch>;
  generate(most: number, onbatch?: (batch: Batch) => void): Promise<Generated>;
  stop(): void;
  push(tokens: Uint32Array | number[]): Promise<Batch>;
  alternatives(position: number, most?: number): Promise<Alternative[]>;
  undoTo(position: number): Promise<{ checksum: string }>;
  look(): Promise<{ oldest: number; position: number; checksum: string }>;
  picture(): Promise<Uint8Array>;
  fork(): Promise<Session>;
  save(): Promise<Uint8Array>;
  close(): Promise<object>;
}
