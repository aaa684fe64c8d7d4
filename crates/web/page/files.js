// Files that are opened and saved.

/** Largest tokenizer and session in bytes: what is read whole before it is known to be one. */
const LARGEST_JSON = 64 * 2 ** 20;
const LARGEST_SESSION = 256 * 2 ** 20;
const SESSION = '{"bitstate_session":';

/** Sorts opened files by what they are: a session; or a model, perhaps with its tokenizer. */
export async function sorted(list) {
  const found = {};
  for (const file of list) {
    const kind = await kindOf(file);
    if (found[kind]) throw new Error(`${found[kind].name} and ${file.name} are both a ${kind}: open one at a time.`);
    found[kind] = file;
  }
  if (found.session && list.length > 1) throw new Error("Open a session by itself, once its model is here.");
  if (found.tokenizer && !found.model) throw new Error("A tokenizer is opened together with its model: choose both files at once.");
  return found;
}

async function kindOf(file) {
  const begin = await file.slice(0, SESSION.length).text();
  if (begin === SESSION) {
    if (file.size > LARGEST_SESSION) throw new Error(`${file.name} is too large for a session.`);
    return "session";
  }
  if (begin.trimStart().startsWith("{")) {
    if (file.size > LARGEST_JSON) throw new Error(`${file.name} is too large for a tokenizer.`);
    return "tokenizer";
  }
  // The engine says what is wrong with it.
  return "model";
}

/** Hands bytes to the visitor as a file. */
export function download(name, bytes) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}
