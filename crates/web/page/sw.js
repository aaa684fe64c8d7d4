// Caches the page for offline use. The list of files and the version come from the build; a cache holds the files of exactly
// one version, so that two versions never mix.

const VERSION = "@VERSION@";
const FILES = "@FILES@";

const NAME = `bitstate-${VERSION}`;

/** A request for a file of this version that bypasses the browser's cache; bytes of another version are rejected. */
const wanted = (path) => new Request(path, { cache: "no-cache", integrity: FILES[path].integrity });

/** The path of a file of the page, as in the list. */
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
  // If there is no space, the page works without a copy.
  if (fetched.ok) await cache?.put(path, fetched.clone()).catch(() => {});
  return fetched;
}

self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
  // Files that the page fetched before this worker existed.
  if (event.data?.keep) {
    const paths = event.data.keep.map(pathOf).filter((path) => path && FILES[path]);
    event.waitUntil(Promise.allSettled(paths.map(answer)).then(() => event.source?.postMessage("kept")));
  }
});
