// Two lanes: the same story with the plain build and with the fastest one, in two workers at once.

import { Engine, best } from "./bitstate/index.js";

/** Runs both. `recipe` has the model, prompt and settings; `show` receives lane, text and tokens per second during the run. */
export async function race(recipe, show) {
  const lanes = await Promise.all(["plain", best().name].map((build) => Engine.start({ build })));
  try {
    await Promise.all(lanes.map((engine) => engine.load(recipe.source)));
    const results = await Promise.all(lanes.map((engine, i) => run(engine, recipe, (...what) => show(i, ...what))));
    const [plain, fast] = results;
    const times = (fast.speed / plain.speed).toFixed(1);
    return plain.checksums === fast.checksums
      ? `The same text and the same checksum, ${fast.last}: SIMD was ${times} times as fast.`
      : `The lanes differ: ${plain.last} and ${fast.last}. This is a bug; please report it.`;
  } finally {
    lanes.forEach((engine) => engine.close());
  }
}

/** Generates stories, each with the next seed, until there are enough tokens for a timing. */
async function run(engine, { prompt, sampling, most }, show) {
  const checksums = [];
  let written = "";
  let tokens = 0;
  let spent = 0;
  for (let seed = sampling.seed; tokens < most && checksums.length < most; seed = BigInt.asUintN(64, seed + 1n)) {
    const session = await engine.session({ ...sampling, seed });
    written += (await session.feed(prompt)).text;
    const start = performance.now();
    let made = 0;
    const end = await session.generate(most - tokens, (batch) => {
      written += batch.text;
      made += batch.tokens.length;
      show(written, (1000 * (tokens + made)) / (spent + performance.now() - start));
    });
    tokens += made;
    spent += end.spent;
    written += "\n\n";
    checksums.push(end.checksum);
    await session.close();
  }
  const speed = (1000 * tokens) / spent;
  show(written, speed);
  return { checksums: checksums.join(), last: checksums.at(-1), speed };
}
