// The page's controls.

import { app, begin, continueHere, fillModels, generateMore, guarded, picture, readSettings, settingsOf, start, undo, useModel, where } from "./app.js";
import { best } from "./bitstate/index.js";
import { download, sorted } from "./files.js";
import { race } from "./lanes.js";
import { linkOf, readLink, verdict } from "./link.js";
import { keepOffline } from "./offline.js";
import { draw, whenThemeChanges } from "./picture.js";
import { element, say, setting, showStatus, thousands, warn } from "./show.js";
import { Text } from "./text.js";
import "./words.js";

/** Tokens per lane. */
const LANE_TOKENS = 1500;

// ---- links and files

function showLink() {
  const hash = linkOf({
    model: app.engine.model.sha256,
    prompt: app.text.beginning,
    sampling: app.sampling,
    checksum: app.text.checksum,
    checks: app.text.checks,
    given: app.text.given,
  });
  const address = new URL(`#${hash}`, location.href).href;
  element("link").hidden = false;
  element("address").value = address;
  element("address").select();
  navigator.clipboard?.writeText(address).then(
    () => showStatus("The link was copied."),
    () => showStatus("Copy the link from the field."),
  );
}

async function followLink() {
  const link = readLink(location.hash);
  if (!link) return;
  if (app.running) throw new Error("A story is being generated: stop it, then open the link again.");
  const model = app.models.find(({ sha256 }) => sha256 === link.model);
  if (!model) {
    throw new Error(
      `The link is for another model, whose SHA-256 begins with ${link.model.slice(0, 12)}: open its file here, then the link again.`,
    );
  }
  if (app.engine.model.sha256 !== link.model) await useModel(model);
  element("prompt").value = link.prompt;
  element("seed").value = String(link.sampling.seed);
  settingsOf(link.sampling);
  element("most").value = String(link.length);
  await begin(link.prompt, link.sampling);
  for (const { at, tokens } of [...link.given, { at: link.length, tokens: [] }]) {
    if (at > app.text.made) await generateMore(at - app.text.made);
    if (tokens.length) {
      app.text.given.push({ at: app.text.made, tokens });
      app.text.add(await app.session.push(tokens));
      app.view.update(app.text);
    }
  }
  const { checksum } = await app.session.look();
  const { same, text: sentence } = verdict(link, { checks: app.text.checks, checksum });
  say(sentence, same);
}

async function openFiles(list) {
  const { model, tokenizer, session: file } = await sorted(list);
  if (file) {
    const resumed = await app.engine.resume(new Uint8Array(await file.arrayBuffer()));
    await app.session?.close();
    for (const fork of app.forks) await fork.session.close();
    [app.session, app.sampling, app.forks, app.text] = [resumed, resumed.sampling, [], new Text()];
    app.text.base = resumed.position - resumed.last.tokens.length;
    app.text.add(resumed.last, true);
    element("seed").value = String(app.sampling.seed);
    settingsOf(app.sampling);
    app.view.show(app.text);
    picture();
    showStatus(`Resumed ${file.name} at token ${thousands(resumed.position)}.`);
    return;
  }
  const named = { title: model.name, source: { file: model, tokenizer } };
  await useModel(named);
  named.sha256 = app.engine.model.sha256;
  app.models = [...app.models.filter(({ sha256 }) => sha256 !== named.sha256 || !named.sha256), named];
  fillModels();
  element("model").value = String(app.models.length - 1);
}

// ---- controls

const on = (name, event, what) =>
  element(name).addEventListener(event, (happened) => guarded(() => what(happened)));

on("ask", "submit", async (event) => {
  event.preventDefault();
  if (app.running || element("go").disabled) return;
  warn();
  element("link").hidden = true;
  const most = setting("most", "The number of tokens");
  await begin(element("prompt").value, readSettings());
  await generateMore(most);
});
on("stop", "click", () => app.session.stop());
on("more", "click", continueHere);
on("undo", "click", undo);
on("share", "click", async () => {
  app.text.checksum = (await app.session.look()).checksum;
  showLink();
});
on("save", "click", async () => download("story.session", await app.session.save()));
on("open", "click", () => element("file").click());
on("file", "change", async (event) => {
  const list = [...event.target.files];
  event.target.value = "";
  warn();
  if (list.length) await openFiles(list);
});
on("model", "change", async (event) => {
  warn();
  const before = app.models.indexOf(app.source);
  try {
    await useModel(app.models[Number(event.target.value)]);
  } catch (error) {
    event.target.value = String(before);
    throw error;
  }
});
on("dice", "click", () => {
  element("seed").value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
});
// Not through `on`: its refresh would move the slider back to the end.
element("time").addEventListener("input", where);
on("race", "click", async () => {
  warn();
  element("race").disabled = true;
  const shown = ["plain", "best"];
  element("lane-best-name").textContent = best().name;
  element("lanes").hidden = false;
  element("race-text").textContent = "Both are running.";
  const recipe = { source: app.source.source, prompt: element("prompt").value, sampling: readSettings(), most: LANE_TOKENS };
  const sentence = await race(recipe, (lane, written, speed) => {
    element(`lane-${shown[lane]}`).textContent = written;
    element(`lane-${shown[lane]}-speed`).textContent = `${thousands(speed)} tokens/s`;
  });
  element("race-text").textContent = sentence;
});

element("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    element("ask").requestSubmit();
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && app.running && !app.choices.isOpen) app.session.stop();
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  element("drop").hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) element("drop").hidden = true;
});
addEventListener("drop", (event) => {
  event.preventDefault();
  element("drop").hidden = true;
  guarded(() => openFiles([...event.dataTransfer.files]));
});
addEventListener("hashchange", () => guarded(followLink));
whenThemeChanges(() => {
  const last = app.lastPicture;
  if (last) draw(element("picture"), last.picture, last.shape);
});

await guarded(async () => {
  await start();
  await followLink();
});
document.documentElement.dataset.ready = "yes";
keepOffline((sentence, action) => {
  const line = element("offline");
  line.textContent = sentence;
  if (!action) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Reload";
  button.addEventListener("click", action);
  line.append(" ", button);
});
