// Which of the three builds this browser can run. A module with one instruction that a browser does not know fails to load as
// a whole, so a module of a few bytes with that instruction is asked for first.

// () -> v128: i32.const 0, i8x16.splat
const SIMD = [0x00, 0x41, 0x00, 0xfd, 0x0f, 0x0b];
// () -> v128: two of them, i16x8.relaxed_dot_i8x16_i7x16_s
const RELAXED = [0x00, 0x41, 0x00, 0xfd, 0x0f, 0x41, 0x00, 0xfd, 0x0f, 0xfd, 0x92, 0x02, 0x0b];

function runs(body) {
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  const types = [0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b];
  const functions = [0x03, 0x02, 0x01, 0x00];
  const code = [0x0a, body.length + 2, 0x01, body.length, ...body];
  return WebAssembly.validate(new Uint8Array([...header, ...types, ...functions, ...code]));
}

/** The builds, the slowest first, and whether each runs here. */
export function builds() {
  return [
    { name: "plain", runs: true, why: "this browser has no SIMD for WebAssembly" },
    { name: "simd128", runs: runs(SIMD), why: "this browser has SIMD of 128 bits, but not its relaxed dot product" },
    { name: "relaxed_simd", runs: runs(RELAXED), why: "this browser has the dot product of relaxed SIMD" },
  ];
}

/** The fastest build that runs here, with the reason. */
export function best() {
  return builds().findLast((build) => build.runs);
}

/** The address of a build's module. Written out, so that bundlers find the files. */
export function address(name) {
  switch (name) {
    case "plain":
      return new URL("./builds/plain.wasm", import.meta.url);
    case "simd128":
      return new URL("./builds/simd128.wasm", import.meta.url);
    case "relaxed_simd":
      return new URL("./builds/relaxed_simd.wasm", import.meta.url);
    default:
      throw new Error(`there is no build ${name}: there are plain, simd128 and relaxed_simd`);
  }
}
