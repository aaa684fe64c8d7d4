/** Models and sessions in a worker. Every promise settles: with a result, or with an `Error` whose message can be shown to users. */

export interface Build {
  name: "plain" | "simd128" | "relaxed_simd";
  /** Whether this browser can run it. */
  runs: boolean;
  why: string;
}

/** The builds, slowest first. */
export function builds(): Build[];
/** The fastest build that runs here. */
export function best(): Build;

/** Largest model file in bytes. */
export const LARGEST_MODEL: number;

/** How the next token is chosen. */
export interface Sampling {
  /** Seed, a whole number below 2^64. The same seed gives the same text on every machine. */
  seed: bigint | number;
  /** 0 always chooses the likeliest token. */
  temperature: number;
  /** Number of likeliest tokens to keep; 0 keeps all. */
  topK: number;
  /** Probability mass to keep, in (0, 1]. */
  topP: number;
  /** Removes tokens less likely than this fraction of the likeliest one. */
  minP: number;
  /** Repetition penalty; 1 disables it. */
  penalty: number;
}

export interface ModelInfo {
  /** The kernel variant in use: `generic`, `lut`, `simd128` or `relaxed_simd`. */
  variant: string;
  /** SHA-256 of the file in hex. */
  sha256: string;
  vocabSize: number;
  layers: number;
  heads: number;
  headSize: number;
  /** Size of a session's state in bytes, independent of the length of its text. */
  stateBytes: number;
  /** Size of the file in bytes. */
  bytes: number;
  /** The model's default sampling parameters. */
  sampling: Sampling;
}

export interface Batch {
  text: string;
  tokens: Uint32Array;
  /** Length of each token's text in UTF-16 code units. */
  lengths: Uint32Array;
  /** The last six bits of the checksum of each token, as a digit of base64url. */
  checks: string;
  /** Whether the model ended the text. */
  ended: boolean;
}

export interface Generated {
  ended: boolean;
  stopped: boolean;
  /** Checksum of the whole text: over its tokens and the bits of the logits that each was chosen from. */
  checksum: string;
  /** Milliseconds spent computing tokens, without the time between slices. */
  spent: number;
}

export interface Alternative {
  tokens: Uint32Array;
  text: string;
  probability: number;
}

/** A file: its URL, a `File`, or its bytes. */
export type Source = string | URL | Blob | Uint8Array;

/** A worker with one model at a time. */
export class Engine {
  static start(options?: { build?: Build["name"] }): Promise<Engine>;
  readonly build: Build["name"];
  readonly model?: ModelInfo;
  /** Size of the module's memory in bytes; it never shrinks. */
  readonly memory: number;
  /** Called after a lost worker was replaced, with an error if that failed. All sessions are gone then. */
  onrestart: (error?: Error) => void;
  load(source: { file: Source; tokenizer?: Source }): Promise<ModelInfo>;
  session(sampling: Sampling): Promise<Session>;
  resume(file: Uint8Array): Promise<Session & { position: number; sampling: Sampling; last: Batch }>;
  /** Terminates the worker and starts a new one with the same model. */
  kill(sentence?: string): void;
  /** Terminates the worker. */
  close(): void;
}

/** One text being generated. */
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
