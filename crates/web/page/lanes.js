// Two lanes: the same story by the plain build and by the fastest one, in two workers at once.

import { Engine, best } from "./bitstate/index.js";

/** Runs both. `recipe` is what the story is made by; `show` gets lane, text and tokens per second as they come. */
export async function race(recipe, show) {
  const lanes = await Promise.all(["plain", best().name].map((build) => Engine.start({ build })));
  try {
    await Promise.all(lanes.map((engine) => engine.load(recipe.source)));
    const results = await Promise.all(lanes.map((engine, i) => run(engine, recipe, (...what) => show(i, ...what))));
    const [plain, fast] = results;
    const same = plain.checksum === fast.checksum;
    return {
      same,
      text: same
        ? `The same text and the same checksum, ${plain.checksum}: SIMD was ${(fast.speed / plain.speed).toFixed(1)} times as fast.`
        : `The lanes differ: ${plain.checksum} and ${fast.checksum}. That is a fault; please report it.`,
    };
  } finally {
    lanes.forEach((engine) => engine.close());
  }
}

async function run(engine, { prompt, sampling, most }, show) {
  const session = await engine.session(sampling);
  let { text } = await session.feed(prompt);
  let tokens = 0;
  const start = performance.now();
  const speed = () => (1000 * tokens) / (performance.now() - start);
  const { checksum } = await session.generate(most, (batch) => {
    text += batch.text;
    tokens += batch.tokens.length;
    show(text, speed());
  });
  const final = speed();
  show(text, final);
  return { checksum, speed: final };
}
