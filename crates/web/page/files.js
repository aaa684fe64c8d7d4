// Opening and saving files.

/** Largest tokenizer and session in bytes: they are read completely before they are checked. */
const LARGEST_JSON = 64 * 2 ** 20;
const LARGEST_SESSION = 256 * 2 ** 20;
const SESSION = '{"bitstate_session":';

/** Sorts opened files by kind: a session, or a model with an optional tokenizer. */
export async function sorted(list) {
  const found = {};
  for (const file of list) {
    const kind = await kindOf(file);
    if (found[kind]) throw new Error(`${found[kind].name} and ${file.name} are both a ${kind}: open one at a time.`);
    found[kind] = file;
  }
  if (found.session && list.length > 1) throw new Error("Open a session by itself, after its model.");
  if (found.tokenizer && !found.model) throw new Error("A tokenizer must be opened together with its model: choose both files at once.");
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
  // The engine reports what is wrong with it.
  return "model";
}

/** Saves bytes as a file. */
export function download(name, bytes) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}
