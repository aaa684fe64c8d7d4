// Runs the guest in the browser's engine, as runners/wasmtime does in wasmtime.

const [guest, model, request, warmUp] = await Promise.all(
  ["guest.wasm", "model.bits", "request.txt", "warm-up.txt"].map(async (name) => {
    const file = await fetch(name);
    if (!file.ok) throw new Error(`cannot fetch ${name}: ${file.status}`);
    return new Uint8Array(await file.arrayBuffer());
  }),
);

const module = WebAssembly.compile(guest);

// What a new instance of the guest answers to the request.
async function answer() {
  const [lines, reasons] = [[], []];
  let memory;
  const imports = {
    bitstate: {
      ticks: () => BigInt(Math.round(performance.now() * 1e6)),
      // Nanoseconds.
      tick_kind: () => 0,
      text(kind, address, length) {
        if (address + length > memory.buffer.byteLength) throw new Error("the guest's text is outside its memory");
        // A copy: growing the memory detaches views.
        const text = new TextDecoder().decode(new Uint8Array(memory.buffer, address, length).slice());
        (kind === 0 ? lines : reasons).push(text);
      },
    },
  };
  let status = 3;
  try {
    const instance = await WebAssembly.instantiate(await module, imports);
    const { reserve, run } = instance.exports;
    ({ memory } = instance.exports);
    const handOver = (bytes) => {
      const address = reserve(bytes.length) >>> 0;
      new Uint8Array(memory.buffer, address, bytes.length).set(bytes);
      return [address, bytes.length];
    };
    status = run(...handOver(request), ...handOver(model)) >>> 0;
    if (status > 2) [status, reasons.length] = [3, reasons.push(`the guest returned the unknown status ${status}`)];
  } catch (error) {
    status = 3;
    reasons.push(`the guest failed: ${error.message ?? error}`);
  }
  return { status, text: lines.join(""), reasons: reasons.join("\n") };
}

// The engine first runs code that it compiled in a hurry, and replaces what runs often. Instances share that code.
const enough = performance.now() + Number(new TextDecoder().decode(warmUp));
while (performance.now() < enough) await answer();
postMessage(await answer());
