// A list of doors where there is no network: each tap is kept on the phone first and shown as kept, then it goes out by
// itself until the server says it has it. What is kept is only ever added to; every sentence stands in the page.
"use strict";

(() => {
  const works = "serviceWorker" in navigator && "caches" in window;
  if (works) navigator.serviceWorker.register("/l/worker.js").catch(() => {}); // without it the page is the form it was
  const bar = document.getElementById("phone");
  if (!bar || !window.indexedDB) return;
  const came = "<!doctype html>\n" + document.documentElement.outerHTML; // as the server sent it
  const KEPT = "tocsin-lists-1";
  const list = location.pathname;
  const words = bar.dataset;
  const TICK_MS = 15000;
  const TELL_MS = 60000; // how often an idle list asks whether it still holds
  const MOST = 200;
  const SIGNS = new Set(["here", "back"]);
  const DAYS_MS = 3 * 86400000; // how long what was sent stays on the phone
  const met = new Set(words.done.split(" "));
  const articles = () => [...document.querySelectorAll("article.visit")];
  const said = (template, values) => template.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  const clock = (ms) => new Date(ms).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
  const id = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  // ---- what is kept on the phone
  const opened = new Promise((done, failed) => {
    const asked = indexedDB.open("tocsin-lists", 1);
    asked.onupgradeneeded = () => {
      const events = asked.result.createObjectStore("events", { keyPath: "seq", autoIncrement: true });
      events.createIndex("list", "list");
      asked.result.createObjectStore("lists", { keyPath: "list" });
    };
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
  const within = async (mode, stores, does) => {
    const tx = (await opened).transaction(stores, mode);
    const asked = does(tx);
    await new Promise((done, failed) => {
      tx.oncomplete = done;
      tx.onabort = tx.onerror = () => failed(tx.error);
    });
    return asked && asked.result;
  };
  const events = (of) => within("readonly", ["events"], (tx) => tx.objectStore("events").index("list").getAll(of));
  const unsent = async () => (await within("readonly", ["events"], (tx) => tx.objectStore("events").getAll())).filter((one) => !one.taken);
  const waits = (one) => !one.taken && !one.why && !one.shut; // shut: another list, which this phone may not open any more
  const keep = (event) => within("readwrite", ["events"], (tx) => tx.objectStore("events").put(event));
  const others = "BroadcastChannel" in window ? new BroadcastChannel("tocsin-lists") : null;
  const changed = () => {
    if (others) others.postMessage(list);
    return refresh();
  };

  // ---- this copy of the page: when it was loaded first, and by how much the phone's clock is wrong
  const page = { list, rendered: words.now, loaded: Date.now(), skew: Number(words.now) * 1000 - Date.now(), contact: Date.now() };
  const known = async () => {
    const before = await within("readonly", ["lists"], (tx) => tx.objectStore("lists").get(list));
    if (before && before.rendered === page.rendered) Object.assign(page, before); // the same copy again
    await within("readwrite", ["lists"], (tx) => tx.objectStore("lists").put(page));
    await within("readwrite", ["events"], (tx) => {
      tx.objectStore("events").openCursor().onsuccess = ({ target: { result: at } }) => {
        if (!at) return;
        if ((at.value.taken || at.value.shut) < Date.now() - DAYS_MS) at.delete();
        at.continue();
      };
    });
    if (!articles().length) return forget();
    if (works && !navigator.serviceWorker.controller) {
      const headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": words.policy,
        "Tocsin-Kept-Until": words.until,
      };
      await (await caches.open(KEPT)).put(list, new Response(came, { headers }));
    }
  };
  const heard = async () => {
    page.contact = Date.now();
    await within("readwrite", ["lists"], (tx) => tx.objectStore("lists").put(page));
  };
  const forget = async () => {
    if (works) await (await caches.open(KEPT)).delete(list);
  };

  const now = () => (Date.now() + page.skew) / 1000; // warning time
  const tooLate = () => Boolean(words.back) && now() >= Number(words.back);

  // ---- what the page shows
  const show = (article, event) => {
    const undone = event.outcome === "undo";
    let noted = article.querySelector(".said");
    if (!noted) {
      noted = document.createElement("p");
      noted.className = "said";
      article.querySelector("form").before(noted);
    }
    const how = event.why ? said(words.refused, { why: event.why }) : event.taken ? "" : words.unsent;
    const what = undone ? words.undone : event.words;
    noted.textContent = said(words.noted, { time: clock(event.at), answer: what }) + (how ? " · " + how : "");
    article.classList.toggle("done", met.has(event.outcome));
    article.classList.toggle("helped", event.outcome === "help");
    article.dataset.done = met.has(event.outcome) ? "1" : "0";
    article.dataset.answer = undone ? "" : event.outcome;
    article.dataset.event = undone ? "" : event.event;
    const back = article.querySelector("form button[value=undo]");
    if (back) back.closest("form").hidden = undone;
    else if (!undone) article.querySelector(".said").after(document.getElementById("undo").content.cloneNode(true));
  };
  const count = () => {
    const all = articles();
    if (!all.length) return; // a list that is over names nobody
    const left = all.filter((one) => one.dataset.done !== "1");
    document.getElementById("count").textContent = said(words.count, { done: all.length - left.length, total: all.length });
    const next = document.querySelector("a.next");
    const follows = left.find((one) => !one.dataset.answer) || left[0];
    if (!next) return;
    next.hidden = !follows || tooLate();
    if (!follows) return;
    next.href = "#" + follows.id;
    next.textContent = said(words.next, { place: follows.dataset.place });
  };
  const put = (name, text) => {
    const node = document.getElementById(name);
    if (node.textContent !== text) node.textContent = text; // else it would be read aloud again
  };
  // What a team said of itself stands below the buttons it pressed.
  const showSign = (event) => {
    const form = document.querySelector("#team form");
    if (!form) return;
    let noted = document.querySelector("#team .said");
    if (!noted) {
      noted = document.createElement("p");
      noted.className = "said";
      form.after(noted);
    }
    const how = event.why ? said(words.refused, { why: event.why }) : event.taken ? "" : words.unsent;
    noted.textContent = said(words.noted, { time: clock(event.at), answer: event.words }) + (how ? " · " + how : "");
  };
  const refresh = async () => {
    const open = await unsent(); // of every list on this phone: an update has brought another one meanwhile
    const waiting = open.filter(waits);
    for (const one of await events(list)) {
      const article = document.getElementById("v" + one.door);
      if (!one.door && (!one.taken || one.taken > page.loaded)) showSign(one);
      if (article && (!one.taken || one.taken > page.loaded)) show(article, one);
    }
    count();
    bar.hidden = false;
    put("phone-contact", said(words.contact, { time: clock(page.contact) }));
    const left = open.length ? said(words.leftOver, { n: open.length }) : words.sent;
    put("phone-waiting", waiting.length ? said(words.waiting, { n: waiting.length }) : left);
    document.getElementById("phone-send").hidden = !waiting.length;
    document.getElementById("phone-show").hidden = !open.length;
    const number = (one) => one.door === "" ? "–" : articles().findIndex((article) => article.id === "v" + one.door) + 1 || "?";
    const line = (one) => said(words.line, { n: number(one), answer: one.words, time: clock(one.at) });
    document.getElementById("phone-left").value = open.map(line).join("\n");
  };

  // ---- sending
  let busy = false;
  let tried = 0;
  const send = async () => {
    if (busy) return;
    busy = true;
    tried = Date.now();
    try {
      while (await sent(list));
      const elsewhere = (await unsent()).filter((one) => waits(one) && one.list !== list);
      for (const other of new Set(elsewhere.map((one) => one.list))) while (await sent(other));
    } catch {
      // no network, or a server that is away: what is kept stays, and the bar says since when
    } finally {
      busy = false;
    }
    await refresh();
  };
  // Whether that list has more to be sent at once.
  const sent = async (of) => {
    const open = (await events(of)).filter((one) => !one.taken && !one.why).slice(0, MOST);
    const given = open.map((one) => ({ event: one.event, door: one.door, outcome: one.outcome, at: one.at, of: one.of }));
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), TICK_MS);
    let answer;
    try {
      answer = await fetch(of + "/events", {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ now: Date.now(), events: given }),
        signal: stop.signal,
      });
    } finally {
      clearTimeout(late);
    }
    if (answer.status === 401 || answer.status === 403) {
      if (of !== list) {
        for (const one of open) await keep({ ...one, shut: Date.now() });
        return false;
      }
      await forget();
      put("phone-changed", words.closed);
      return false;
    }
    if (!answer.ok) return false;
    const told = await answer.json();
    if (of === list) await heard();
    const refused = new Map(told.refused.map((one) => [one.event, one.why]));
    for (const one of open) {
      if (told.taken.includes(one.event)) await keep({ ...one, taken: Date.now() });
      else if (refused.has(one.event)) await keep({ ...one, why: refused.get(one.event) });
    }
    if (of === list) {
      put("phone-changed", told.list === words.list ? "" : words.changed);
      document.getElementById("phone-load").hidden = told.list === words.list;
    }
    if (open.length && others) others.postMessage(of);
    return open.length === MOST;
  };

  // ---- tapping
  const plainly = (form, button) => {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: button.name, value: button.value });
    form.append(field);
    form.submit();
  };
  document.addEventListener("submit", async (pressed) => {
    const article = pressed.target.closest("article.visit");
    const button = pressed.submitter;
    const sign = button && button.name === "sign" && SIGNS.has(button.value) && pressed.target.closest("#team");
    if (!button || !(sign || (article && button.name === "outcome"))) return;
    const undo = button.value === "undo";
    if (undo && !article.dataset.event) return; // said on another phone: the form goes to the server
    pressed.preventDefault();
    const event = {
      event: id(),
      list,
      door: sign ? "" : article.id.slice(1),
      outcome: button.value,
      of: undo ? article.dataset.event : "",
      at: Date.now(),
      words: button.textContent.trim(),
    };
    try {
      await keep(event);
    } catch {
      return plainly(pressed.target, button); // the phone keeps nothing: then only the network helps
    }
    await changed();
    await send();
    const now = sign && (await events()).find((one) => one.event === event.event);
    if (now && now.taken) location.reload(); // the list says until when the next sign is due
  });
  document.getElementById("phone-send").addEventListener("click", send);

  // ---- time
  const back = document.getElementById("back");
  const turn = () => {
    if (Date.now() > Number(words.until) * 1000) forget();
    if (!back || !words.back) return;
    const left = Math.floor((Number(words.back) - now()) / 60);
    back.hidden = tooLate();
    document.getElementById("back-now").hidden = !tooLate();
    if (tooLate()) return count();
    back.className = left < 15 ? "over" : "big";
    put("back", said(words.left, { n: left }));
  };
  const tick = async () => {
    turn();
    const open = (await unsent()).some(waits);
    if (open || (!document.hidden && Date.now() - tried > TELL_MS)) send();
  };
  if (others) others.onmessage = refresh;
  window.addEventListener("online", send);
  document.addEventListener("visibilitychange", () => document.hidden || send());
  known().then(turn).then(refresh).then(send);
  setInterval(tick, TICK_MS);
})();
