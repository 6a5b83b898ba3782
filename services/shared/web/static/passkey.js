// Makes or shows a passkey when the button is pressed, and sends the answer with the form it stands in.
// Every sentence stands in the page, in the reader's language; this file only shows the one that is true.
"use strict";

(() => {
  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (c) => c.charCodeAt(0));
  };
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");
  const described = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  async function made(options) {
    const user = { ...options.user, id: bytes(options.user.id) };
    const excludeCredentials = described(options.excludeCredentials);
    return navigator.credentials.create({
      publicKey: { ...options, challenge: bytes(options.challenge), user, excludeCredentials },
    });
  }

  async function shown(options) {
    const allowCredentials = described(options.allowCredentials);
    return navigator.credentials.get({
      publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials },
    });
  }

  const said = ({ id, rawId, type, response }) => {
    const parts = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (response[name]) parts[name] = text(response[name]);
    return JSON.stringify({ id, rawId: text(rawId), type, response: parts });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const show = (state) => {
      for (const part of form.querySelectorAll("[data-state]")) part.hidden = part.dataset.state !== state;
    };
    const ask = async () => {
      const options = JSON.parse(form.dataset.options);
      show("busy");
      const answer = await (form.dataset.passkey === "make" ? made(options) : shown(options));
      form.querySelector("[data-answer]").value = said(answer);
      form.submit();
    };
    show(window.PublicKeyCredential ? "ready" : "unable");
    form.addEventListener("submit", (event) => event.preventDefault()); // Enter asks, as the button does
    for (const button of form.querySelectorAll("[data-ask]"))
      button.addEventListener("click", () =>
        ask().catch((problem) => {
          show("ready");
          const known = problem.name === "InvalidStateError" ? "known" : "failed";
          form.querySelector(`[data-trouble=${known}]`).hidden = false;
        }),
      );
  }
})();
