// The page without a network: a service worker caches its files.

import { address, best } from "./bitstate/builds.js";

/** Registers it; `say` receives a message and, if a new version is ready, the action that switches to it. */
export async function keepOffline(say) {
  if (!("serviceWorker" in navigator)) {
    say("This browser cannot save a copy, so the page needs the network next time.");
    return;
  }
  try {
    const had = Boolean(navigator.serviceWorker.controller);
    const registration = await navigator.serviceWorker.register("sw.js");
    const fresh = () => {
      if (registration.waiting && had) say("A new version of this page is ready.", () => takeOver(registration));
    };
    registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", fresh));
    fresh();
    const { active } = await navigator.serviceWorker.ready;
    navigator.serviceWorker.addEventListener("message", ({ data }) => {
      if (data === "kept" && !registration.waiting) say("Saved on this device: the page also works offline.");
    });
    // Files beyond the list that this visit used: the build that this browser runs, and any other file.
    const used = performance.getEntriesByType("resource").map((entry) => entry.name);
    active.postMessage({ keep: [address(best().name).href, ...used] });
    return active;
  } catch (error) {
    say(`No copy could be saved on this device (${error.message}); the page works only online.`);
  }
}

function takeOver(registration) {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  registration.waiting?.postMessage("take over");
}
