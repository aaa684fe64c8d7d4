// Which of the three builds this browser can run. A browser rejects a whole module if it does not know one of its
// instructions, so each feature is first probed with a module of a few bytes.

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

/** The builds, slowest first, and whether each runs here. */
export function builds() {
  return [
    { name: "plain", runs: true, why: "this browser has no SIMD for WebAssembly" },
    { name: "simd128", runs: runs(SIMD), why: "this browser has 128-bit SIMD, but not the relaxed dot product" },
    { name: "relaxed_simd", runs: runs(RELAXED), why: "this browser has the relaxed SIMD dot product" },
  ];
}

/** The fastest build that runs here, and the reason. */
export function best() {
  return builds().findLast((build) => build.runs);
}

/** URL of a build's module. Written out, because bundlers only find literal paths. */
export function address(name) {
  switch (name) {
    case "plain":
      return new URL("./builds/plain.wasm", import.meta.url);
    case "simd128":
      return new URL("./builds/simd128.wasm", import.meta.url);
    case "relaxed_simd":
      return new URL("./builds/relaxed_simd.wasm", import.meta.url);
    default:
      throw new Error(`unknown build ${name}: use plain, simd128 or relaxed_simd`);
  }
}
