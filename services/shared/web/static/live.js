// Follows the live page's stream: says when figures stopped and since when, keeps the title, and speaks one sentence at most
// every ten seconds. htmx puts the parts in place; every sentence stands in the page, in the reader's language.
// Time is counted by the page's own clock: the one of the browser may be set back or forward meanwhile.
"use strict";

(() => {
  const SPEAK_MS = 10000;
  const SILENT_MS = 15000;
  const AGAIN_MS = 5000;
  const NOT_YOURS = [401, 403, 404];
  const live = document.getElementById("live");
  const banner = document.getElementById("stopped");
  const spoken = document.getElementById("spoken");
  if (!live || !banner || !spoken) return;
  const plane = document.title.startsWith("[") ? document.title.split("]")[0] + "] " : "";
  let seen = performance.now();
  let askedAt = seen;
  let asking = true; // htmx asks as soon as it is there
  let seenAt = banner.dataset.at; // the time the server gave, with its zone: a browser may stand in another
  let spokeAt = -SPEAK_MS;
  let waiting = "";
  let ended = false;
  let over = false;

  const stopped = () => {
    if (over) return;
    banner.textContent = (ended ? banner.dataset.ended : banner.dataset.stopped).replace("@", seenAt);
    banner.hidden = false;
    if (!document.title.startsWith("\u23f8")) document.title = "\u23f8 " + document.title; // what the tab counts is old
  };
  // htmx comes back to a stream that broke off, and not to one that never came.
  const again = () => {
    if (over || asking || live._htmx?.sse || performance.now() - askedAt < AGAIN_MS) return;
    askedAt = performance.now();
    asking = true;
    htmx.ajax("GET", live.getAttribute("hx-sse:connect"), { source: live });
  };
  const speak = () => {
    if (!waiting || performance.now() - spokeAt < SPEAK_MS) return;
    spoken.textContent = waiting;
    waiting = "";
    spokeAt = performance.now();
  };
  live.addEventListener("beat", (happened) => {
    const said = JSON.parse(happened.detail.data);
    seen = performance.now();
    ended = false; // they have signed in elsewhere
    seenAt = said.at;
    banner.hidden = true;
    document.title = plane + said.title + " - Tocsin";
    if (said.say) waiting = said.say;
    over = said.over === true;
    speak();
  });
  live.addEventListener("ended", () => {
    ended = true;
    stopped();
  });
  live.addEventListener("htmx:sse:error", (happened) => {
    if (NOT_YOURS.includes(happened.detail?.status)) ended = true;
    stopped();
  });
  live.addEventListener("htmx:sse:close", stopped);
  live.addEventListener("htmx:finally:request", () => {
    asking = false;
  });
  live.addEventListener("htmx:response:error", (happened) => {
    if (NOT_YOURS.includes(happened.detail?.ctx?.response?.status)) ended = true;
    stopped();
  });
  setInterval(() => {
    speak();
    if (performance.now() - seen > SILENT_MS) stopped();
    again();
  }, 1000);
})();
