// Saves the sketch of a warning by itself every five seconds, says when, and shows what phones would get of it.
// Every sentence stands in the page or comes from the server, in the reader's language.
"use strict";

(() => {
  const EVERY_MS = 5000;
  const form = document.querySelector("form[data-sketch]");
  const saved = document.getElementById("saved");
  const banner = document.getElementById("unsaved");
  if (!form || !saved || !banner) return;
  const typed = () => {
    const data = new FormData(form);
    data.delete("geojson_file"); // a file goes along when somebody presses a button
    return data;
  };
  const said = () => new URLSearchParams(typed()).toString();
  let before = said();
  let stopped = false;
  let under = null; // the save on its way

  const warn = (sentence) => {
    banner.textContent = sentence;
    banner.hidden = !sentence;
  };
  const follow = (suggested) => {
    // what was left as it was suggested goes on following the time and the area
    for (const [name, words] of Object.entries(suggested)) {
      const field = form.elements.namedItem(name);
      const shown = form.elements.namedItem("suggested." + name);
      if (!field || !shown || field === document.activeElement) continue;
      if (field.value.trim() === shown.value.trim()) field.value = words;
      shown.value = words;
    }
  };
  const show = (texts) => {
    for (const [name, text] of Object.entries(texts)) {
      const part = document.querySelector(`[data-text="${name}"]`);
      const size = document.querySelector(`[data-size="${name}"]`);
      if (part) part.textContent = text.text;
      if (size) size.textContent = text.size;
    }
  };

  const save = () => {
    const now = said();
    if (stopped || under || now === before) return;
    under = sent(now).finally(() => {
      under = null;
    });
  };
  const sent = async (now) => {
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: typed(),
        headers: { Accept: "application/json" },
      });
      if (answer.status === 401) return warn(banner.dataset.signedOut);
      const told = await answer.json();
      if (answer.status === 409) {
        stopped = true;
        return warn(told.title);
      }
      if (!answer.ok) return warn(banner.dataset.unsaved);
      const unchanged = said() === now;
      form.elements.namedItem("version").value = told.version;
      saved.textContent = told.saved;
      warn("");
      follow(told.suggested);
      before = unchanged ? said() : now; // what was typed meanwhile is saved the next time
      show(told.texts);
    } catch {
      warn(banner.dataset.unsaved);
    }
  };
  setInterval(save, EVERY_MS);
  form.addEventListener("submit", async (pressed) => {
    stopped = true;
    if (!under) return;
    pressed.preventDefault(); // the save on its way brings the version that this one goes on from
    await under;
    form.requestSubmit(pressed.submitter);
  });
  addEventListener("pageshow", (shown) => {
    if (shown.persisted) stopped = false; // by Back: it saves itself again
  });
})();
