// The page without a network: a service worker keeps its files.

import { address, best } from "./bitstate/builds.js";

/** Registers it; `say` gets a sentence for the visitor, and whether a click on it takes a new version. */
export async function keepOffline(say) {
  if (!("serviceWorker" in navigator)) {
    say("This browser keeps no copy here, so the page needs the network next time.");
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
      if (data === "kept" && !registration.waiting) say("Kept on this device: the page also works without a network.");
    });
    // What this first visit needed beside the list: the build that this browser runs, and any other file that was used.
    const used = performance.getEntriesByType("resource").map((entry) => entry.name);
    active.postMessage({ keep: [address(best().name).href, ...used] });
    return active;
  } catch (error) {
    say(`No copy could be kept on this device (${error.message}); the page works while there is a network.`);
  }
}

function takeOver(registration) {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  registration.waiting?.postMessage("take over");
}
