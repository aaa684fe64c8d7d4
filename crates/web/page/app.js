// The page's state: an engine with a model, the story that it generates, and earlier versions of it.

import { Engine, best, builds } from "./bitstate/index.js";
import { draw } from "./picture.js";
import { element, integer, setting, showStatus, thousands, warn } from "./show.js";
import { Text, View } from "./text.js";

/** Milliseconds between two pictures of the state. */
const PICTURE = 120;
/** Earlier versions to keep: each holds a state and its checkpoints. */
const FORKS = 8;

export const app = {
  view: new View(element("story")),
  /** The list of alternatives, once it exists. */
  choices: undefined,
  engine: undefined,
  models: [],
  /** The entry of `models` that is loaded. */
  source: undefined,
  session: undefined,
  text: new Text(),
  sampling: undefined,
  /** Earlier versions, newest last: session, text and sampling. */
  forks: [],
  running: false,
  lastPicture: undefined,
};

/** Runs an action and shows its error on the page. */
export async function guarded(what) {
  try {
    return await what();
  } catch (error) {
    warn(error.message);
    return undefined;
  } finally {
    refresh();
  }
}

// ---- the engine and its model

export async function start() {
  if (typeof WebAssembly !== "object") {
    throw new Error("This browser has no WebAssembly, which the model needs: try another browser.");
  }
  const build = best();
  const words = { plain: "plain WebAssembly", simd128: "SIMD", relaxed_simd: "relaxed SIMD" };
  element("build").textContent = `Runs with ${words[build.name]}, the best of ${builds().length} builds: ${build.why}.`;
  // In parallel: the worker's module and the list of models.
  const [list, started] = await Promise.all([
    fetch("models/models.json").then((answer) => answer.json()),
    Engine.start(),
  ]);
  app.engine = started;
  app.engine.onrestart = (error) => {
    // The text stays visible; the engine's sessions are gone.
    [app.session, app.forks] = [undefined, []];
    if (error) warn(`The engine cannot be restarted: ${error.message}. Reload the page.`);
    refresh();
  };
  app.models = list.map((model) => ({ ...model, source: { file: model.file, tokenizer: model.tokenizer } }));
  fillModels();
  await useModel(app.models[0]);
}

export function fillModels() {
  const options = app.models.map(({ title }, i) => new Option(title, String(i)));
  element("model").replaceChildren(...options);
}

export async function useModel(model) {
  showStatus(`Loading ${model.title}…`);
  const known = await app.engine.load(model.source);
  app.source = model;
  [app.session, app.text, app.forks] = [undefined, new Text(), []];
  app.view.show(app.text);
  element("model").value = String(app.models.indexOf(model));
  element("size").textContent = thousands(known.stateBytes / 1000);
  element("picture-text").textContent =
    `Each square is one head of one layer: its state, blue below zero and orange above. These ` +
    `${thousands(known.stateBytes)} bytes are all that the model remembers, however long the story is.`;
  settingsOf(model.sampling ?? known.sampling);
  showStatus(`Ready: ${model.title}, ${thousands(known.bytes / 1000)} kB.`);
  refresh();
}

export function settingsOf(values) {
  for (const name of ["temperature", "topK", "topP", "minP", "penalty"]) {
    // 32-bit floats in the model, rounded to show them as they were entered.
    if (values[name] !== undefined) element(name).value = String(Number(values[name].toPrecision(6)));
  }
}

export function readSettings() {
  const seed = integer("seed", "The seed must be a whole number from 0 to 18446744073709551615.");
  return {
    seed,
    temperature: setting("temperature", "The temperature"),
    topK: setting("topK", "Top-k"),
    topP: setting("topP", "Top-p"),
    minP: setting("minP", "Min-p"),
    penalty: setting("penalty", "The penalty"),
  };
}

// ---- generating

export async function begin(prompt, wanted) {
  const fresh = await app.engine.session(wanted);
  const fed = await fresh.feed(prompt);
  await app.session?.close();
  for (const fork of app.forks) await fork.session.close();
  [app.session, app.sampling, app.forks, app.text] = [fresh, wanted, [], new Text()];
  app.text.beginning = prompt;
  app.text.add(fed, true);
  app.view.show(app.text);
}

/** Generates up to `most` tokens and shows them as they arrive. */
export async function generateMore(most) {
  const [own, shown] = [app.session, app.text];
  app.running = true;
  refresh();
  showStatus("Writing");
  const start = performance.now();
  let tokens = 0;
  let pictured = 0;
  try {
    const end = await own.generate(most, (batch) => {
      shown.add(batch);
      app.view.update(shown);
      // For the browser's tools.
      if (tokens === 0) performance.mark("first token");
      tokens += batch.tokens.length;
      const now = performance.now();
      element("speed").textContent = thousands((1000 * tokens) / (now - start));
      meter();
      if (now - pictured > PICTURE) {
        pictured = now;
        picture();
      }
    });
    performance.measure("story", { start, detail: { tokens, spent: end.spent } });
    const speed = (1000 * tokens) / (performance.now() - start);
    element("speed").textContent = thousands(speed);
    const how = end.stopped ? "Stopped" : "Finished";
    showStatus(`${how}, ${thousands(tokens)} tokens at ${thousands(speed)} a second. Checksum ${end.checksum}.`);
    return end;
  } finally {
    app.running = false;
    picture();
    refresh();
  }
}

export async function picture() {
  // One at a time: if one is still being drawn, this one is skipped.
  if (picture.isDrawn || !app.session) return;
  picture.isDrawn = true;
  try {
    const shape = app.engine.model;
    app.lastPicture = { picture: await app.session.picture(), shape };
    draw(element("picture"), app.lastPicture.picture, shape);
  } catch {
    // The session is gone; the error was shown where it happened.
  } finally {
    picture.isDrawn = false;
  }
}

// ---- forks and the timeline

/** Keeps the current version before it changes. */
async function leave() {
  app.forks.push({ session: await app.session.fork(), text: app.text.copy(), sampling: app.sampling });
  if (app.forks.length > FORKS) await app.forks.shift().session.close();
}

async function backTo(index) {
  await app.session.undoTo(app.text.base + index);
  app.text.cut(index);
  app.view.show(app.text);
}

/** Replaces the tokens from `index` on with other tokens, and continues from there. */
export async function choose(index, tokens) {
  await leave();
  await backTo(index);
  const at = app.text.made;
  app.text.add(await app.session.push(tokens));
  app.text.given.push({ at, tokens: [...tokens] });
  app.view.show(app.text);
  await generateMore(setting("most", "The number of tokens"));
}

export async function continueHere() {
  const index = Number(element("time").value);
  if (index < app.text.tokens.length) {
    await leave();
    await backTo(index);
  }
  await generateMore(setting("most", "The number of tokens"));
}

async function take(fork) {
  const left = { session: app.session, text: app.text, sampling: app.sampling };
  app.forks = app.forks.filter((other) => other !== fork);
  [app.session, app.text, app.sampling] = [fork.session, fork.text, fork.sampling];
  app.view.show(app.text);
  picture();
  return left;
}

export async function undo() {
  const left = await take(app.forks.at(-1));
  await left.session.close();
  showStatus(`Back to the previous version: ${thousands(app.text.tokens.length)} tokens.`);
}

// ---- what is shown

export function meter() {
  element("memory").textContent = (app.engine.memory / 1e6).toFixed(1);
}

export function refresh() {
  const ready = Boolean(app.engine?.model) && !app.running;
  const made = ready && Boolean(app.session) && app.text.tokens.length > 0;
  const enable = (name, is) => (element(name).disabled = !is);
  // Go and Stop replace each other, so the focus moves from one to the other.
  const pressed = ["go", "stop"].some((name) => document.activeElement === element(name));
  element("go").hidden = app.running;
  element("stop").hidden = !app.running;
  enable("go", ready);
  if (pressed) element(app.running ? "stop" : "go").focus();
  for (const name of ["more", "save"]) enable(name, made);
  enable("share", made && app.text.made > 0 && app.text.beginning !== undefined);
  enable("undo", ready && app.forks.length > 0);
  enable("race", ready);
  enable("model", ready);
  const time = element("time");
  enable("time", made);
  const [least, most] = [app.text.prompt, app.text.tokens.length];
  Object.assign(time, { min: least, max: Math.max(most, least), value: most });
  where();
  if (app.engine) meter();
  const given = app.text.given.map(({ at, tokens }) => {
    const first = app.text.prompt + at;
    return [app.text.offset(first), app.text.offset(Math.min(first + tokens.length, app.text.tokens.length))];
  });
  app.view.mark("given", ...given);
  if (!app.choices?.isOpen) app.view.mark("word");
  showForks();
}

export function where() {
  const index = Number(element("time").value);
  const all = app.text.tokens.length;
  element("where").textContent = `token ${thousands(app.text.base + index)} of ${thousands(app.text.base + all)}`;
  if (all) app.view.mark("later", [app.text.offset(index), app.text.text.length]);
  element("more").textContent = index < all ? "Continue from here" : "Continue";
}

/** The forks that are listed now. */
let listed = [];

function showForks() {
  element("forks").hidden = app.forks.length === 0;
  const list = element("branches");
  // Buttons are kept while nothing changes, so that the focus stays.
  if (listed.length !== app.forks.length || listed.some((fork, i) => fork !== app.forks[i])) {
    listed = [...app.forks];
    list.replaceChildren(...listed.map(forkItem));
  }
  for (const button of list.querySelectorAll("button")) button.disabled = app.running;
}

function forkItem(fork) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `… ${fork.text.text.slice(-70).trim()} (${thousands(fork.text.tokens.length)} tokens)`;
  button.addEventListener("click", () => guarded(async () => app.forks.push(await take(fork))));
  const item = document.createElement("li");
  item.append(button);
  return item;
}
