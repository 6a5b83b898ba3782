// Follows the live page's stream: says when figures stopped and since when, keeps the title, and speaks one sentence at most
// every ten seconds. htmx puts the parts in place; every sentence stands in the page, in the reader's language.
"use strict";

(() => {
  const SPEAK_MS = 10000;
  const SILENT_MS = 15000;
  const live = document.getElementById("live");
  const banner = document.getElementById("stopped");
  const spoken = document.getElementById("spoken");
  if (!live || !banner || !spoken) return;
  let seen = Date.now();
  let seenAt = banner.dataset.at; // the time the server gave, with its zone: a browser may stand in another
  let spokeAt = 0;
  let waiting = "";
  let ended = false;
  let over = false;

  const stopped = () => {
    if (over) return;
    banner.textContent = (ended ? banner.dataset.ended : banner.dataset.stopped).replace("@", seenAt);
    banner.hidden = false;
  };
  const speak = () => {
    if (!waiting || Date.now() - spokeAt < SPEAK_MS) return;
    spoken.textContent = waiting;
    waiting = "";
    spokeAt = Date.now();
  };
  live.addEventListener("beat", (happened) => {
    const said = JSON.parse(happened.detail.data);
    seen = Date.now();
    seenAt = said.at;
    banner.hidden = true;
    document.title = document.title.startsWith("[") ? document.title.split("]")[0] + "] " + said.title + " - Tocsin" : said.title + " - Tocsin";
    if (said.say) waiting = said.say;
    over = said.over === true;
    speak();
  });
  live.addEventListener("ended", () => {
    ended = true;
    stopped();
  });
  live.addEventListener("htmx:sse:error", stopped);
  live.addEventListener("htmx:sse:close", stopped);
  setInterval(() => {
    speak();
    if (Date.now() - seen > SILENT_MS) stopped();
  }, 1000);
})();
