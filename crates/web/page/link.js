// A link that reproduces a story: model, prompt, settings, seed, the chosen words, and a check for every token.

const NUMBERS = { t: "temperature", k: "topK", tp: "topP", mp: "minP", pe: "penalty" };
/** Most checks in a link, one character per token: a length that browsers and messengers accept. */
export const LONGEST = 4000;

/** The part of a URL after `#`. */
export function linkOf({ model, prompt, sampling, checksum, checks, given }) {
  const values = new URLSearchParams({ v: "1", m: model, p: prompt, s: sampling.seed.toString() });
  for (const [key, name] of Object.entries(NUMBERS)) values.set(key, String(sampling[name]));
  values.set("n", String(checks.length));
  if (given.length) values.set("g", given.map(({ at, tokens }) => `${at}:${[...tokens].join(".")}`).join("_"));
  values.set("d", checksum);
  values.set("c", checks.slice(0, LONGEST));
  return values.toString();
}

/** Parses a link; `undefined` if it is not one. Throws if it is damaged. */
export function readLink(hash) {
  if (!hash.startsWith("#v=")) return undefined;
  const values = new URLSearchParams(hash.slice(1));
  const damaged = (what) => new Error(`The link is damaged: its ${what} cannot be read. Ask for a new link.`);
  const text = (key, pattern, what) => {
    const value = values.get(key) ?? "";
    if (!pattern.test(value)) throw damaged(what);
    return value;
  };
  if (values.get("v") !== "1") throw new Error("The link is from a newer version of this page: reload the page and try again.");
  const sampling = { seed: BigInt(text("s", /^\d{1,20}$/, "seed")) };
  if (sampling.seed >= 1n << 64n) throw damaged("seed");
  for (const [key, name] of Object.entries(NUMBERS)) {
    sampling[name] = Number(text(key, /^\d+(\.\d+)?(e-?\d+)?$/, name));
  }
  const given = (values.get("g") ?? "").split("_").filter(Boolean).map((entry) => {
    if (!/^\d{1,9}:\d{1,9}(\.\d{1,9})*$/.test(entry)) throw damaged("given words");
    const [at, tokens] = entry.split(":");
    return { at: Number(at), tokens: tokens.split(".").map(Number) };
  });
  return {
    model: text("m", /^[0-9a-f]{64}$/, "model"),
    prompt: values.get("p") ?? "",
    sampling,
    length: Number(text("n", /^\d{1,6}$/, "length")),
    given,
    checksum: text("d", /^[0-9a-f]{16}$/, "checksum"),
    checks: text("c", /^[\w-]*$/, "checks"),
  };
}

/** Compares a generated story with its link: whether it is the same, and a message. */
export function verdict(link, { checks, checksum }) {
  const known = Math.min(link.checks.length, link.length);
  for (let i = 0; i < known; i++) {
    if (checks[i] !== link.checks[i]) return { same: false, text: `Not the same story: it differs at token ${i + 1}.` };
  }
  if (checks.length !== link.length) {
    return { same: false, text: `Not the same story: it differs at token ${Math.min(checks.length, link.length) + 1}, where one of the two ends.` };
  }
  if (checksum !== link.checksum) {
    const place = known < link.length ? `after token ${known}` : `at token ${link.length}`;
    return { same: false, text: `Not the same story: it differs ${place}.` };
  }
  return { same: true, text: `The same story: the checksums of all ${link.length} tokens agree.` };
}
