// Words of the story: pointing at, moving between, and replacing them.

import { app, choose, guarded } from "./app.js";
import { Choices } from "./choices.js";
import { element, showStatus } from "./show.js";

/** Number of alternatives to show. */
const MOST = 6;

/** Keyboard cursor: an offset in the text. */
let cursor = 0;
/** The token whose alternatives are shown. */
let choosing;

app.choices = new Choices(element("choices"), ({ tokens }) => guarded(() => choose(choosing, tokens)));

/** Shows alternatives to the word at `offset`. */
async function openChoices(offset) {
  const word = app.text.wordAt(offset);
  if (!word || app.running || !app.session) return;
  const index = app.text.tokenAt(word[0]);
  if (index < app.text.prompt) {
    showStatus("This is your prompt: edit it above.");
    return;
  }
  cursor = word[0];
  app.view.mark("word", word);
  const found = await app.session.alternatives(app.text.base + index, MOST);
  choosing = index;
  const box = app.view.range(...word).getBoundingClientRect();
  app.choices.show(box, app.text.text.slice(...word), found);
}

function keyInStory(event) {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    guarded(() => openChoices(cursor));
    return;
  }
  const back = { ArrowLeft: true, ArrowRight: false }[event.key];
  if (back === undefined || !app.text.text) return;
  event.preventDefault();
  const word = app.text.nextWord(cursor, back);
  if (!word) return;
  cursor = word[0];
  app.view.mark("word", word);
  showStatus(app.text.text.slice(...word));
}

const story = element("story");
story.addEventListener("click", (event) => {
  if (!getSelection().isCollapsed) return;
  const offset = app.view.offsetAt(event.clientX, event.clientY);
  if (offset !== undefined) guarded(() => openChoices(offset));
});
story.addEventListener("pointermove", (event) => {
  if (event.pointerType !== "mouse" || app.running || app.choices.isOpen) return;
  const word = app.text.wordAt(app.view.offsetAt(event.clientX, event.clientY) ?? -1);
  app.view.mark("word", ...(word ? [word] : []));
});
story.addEventListener("keydown", keyInStory);
