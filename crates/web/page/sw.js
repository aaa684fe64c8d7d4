// Keeps the page for when there is no network. The list of files and the version come from the build; a cache has the files of
// one version and no others, so that two versions never mix.

const VERSION = "@VERSION@";
const FILES = "@FILES@";

const NAME = `bitstate-${VERSION}`;

/** A file of this version, past the browser's own cache; another version's bytes are refused. */
const wanted = (path) => new Request(path, { cache: "no-cache", integrity: FILES[path].integrity });

/** The path of a file of the page, as the list has it. */
function pathOf(url) {
  const base = new URL("./", self.location).href;
  const path = url.split(/[?#]/)[0];
  if (!path.startsWith(base)) return undefined;
  return path.slice(base.length) || "index.html";
}

self.addEventListener("install", (event) => {
  const first = Object.keys(FILES).filter((path) => FILES[path].first);
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(first.map(wanted))));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("bitstate-") && name !== NAME;
  const clean = caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))));
  event.waitUntil(clean.then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const path = pathOf(event.request.url);
  if (event.request.method !== "GET" || path === undefined || !FILES[path]) return;
  event.respondWith(answer(path));
});

async function answer(path) {
  const cache = await caches.open(NAME).catch(() => undefined);
  const kept = await cache?.match(path);
  if (kept) return kept;
  const fetched = await fetch(wanted(path));
  // Where there is no room, the page does without.
  if (fetched.ok) await cache?.put(path, fetched.clone()).catch(() => {});
  return fetched;
}

self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
  // What the page fetched before this worker was there.
  if (event.data?.keep) {
    const paths = event.data.keep.map(pathOf).filter((path) => path && FILES[path]);
    event.waitUntil(Promise.allSettled(paths.map(answer)).then(() => event.source?.postMessage("kept")));
  }
});
