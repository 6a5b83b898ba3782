// Keeps the lists of doors that were opened on this phone, and shows the kept copy where there is no network.
// A copy is kept of what the server says may be kept, until it says; a list that was taken back or is over goes away.
"use strict";

const KEPT = "tocsin-lists-1";
const UNTIL = "Tocsin-Kept-Until"; // seconds since 1970
const PARTS = ["/static/tocsin.css", "/static/list.js", "/static/icon.svg", "/static/pictograms.svg"];
const CLOSED = new Set([401, 403]); // the list says no; any other fault is one of what lies between
const PATIENCE_MS = 8000; // a network that answers after that is none

self.addEventListener("install", (event) => {
  const kept = caches.open(KEPT).then((cache) => cache.addAll(PARTS));
  event.waitUntil(kept.then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && /^\/l\/[^/]+$/.test(pathname))
    event.respondWith(list(event.request, pathname));
  else if (PARTS.includes(pathname)) event.respondWith(part(event.request, pathname));
});

async function list(request, pathname) {
  const cache = await caches.open(KEPT);
  const copy = await cache.match(pathname);
  const answer = await within(fetch(request), copy ? PATIENCE_MS : Infinity);
  if (!answer || (!answer.ok && !CLOSED.has(answer.status) && answer.type !== "opaqueredirect")) {
    const lives = copy && Date.now() < Number(copy.headers.get(UNTIL)) * 1000;
    if (lives) return copy;
    if (copy) await cache.delete(pathname);
    return answer || Response.error();
  }
  if (answer.ok && answer.headers.get(UNTIL)) await cache.put(pathname, answer.clone());
  else if (answer.type !== "opaqueredirect") await cache.delete(pathname);
  return answer;
}

async function part(request, pathname) {
  const cache = await caches.open(KEPT);
  const copy = await cache.match(pathname);
  const answer = await within(fetch(request), copy ? PATIENCE_MS : Infinity);
  if (answer && answer.ok) await cache.put(pathname, answer.clone());
  return answer && answer.status < 500 ? answer : copy || answer || Response.error();
}

// The answer; nothing where there is no network, or none in time.
function within(answer, patience) {
  const tried = answer.catch(() => null);
  if (patience === Infinity) return tried;
  return Promise.race([tried, new Promise((done) => setTimeout(done, patience, null))]);
}
