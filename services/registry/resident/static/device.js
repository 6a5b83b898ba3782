// Subscribes this device to push messages, when its owner presses the button, and hands the subscription to her page.
// Every sentence stands in the page, in her language; this file only shows the one that is true.
"use strict";

(() => {
  const box = document.getElementById("device");
  const form = document.getElementById("device-form");
  const show = (state) => {
    for (const part of box.querySelectorAll("[data-state]")) part.hidden = part.dataset.state !== state;
  };
  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (c) => c.charCodeAt(0));
  };

  async function subscribe() {
    show("busy");
    if ((await Notification.requestPermission()) !== "granted") return show("denied");
    const answer = await fetch(box.dataset.key, { credentials: "omit" });
    if (!answer.ok) return show("failed");
    const key = bytes((await answer.text()).trim());
    await navigator.serviceWorker.register("/me/device-worker.js", { scope: "/me/" });
    const worker = await navigator.serviceWorker.ready;
    const old = await worker.pushManager.getSubscription();
    if (old) await old.unsubscribe(); // it may belong to another key, or to somebody else who used this device
    const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    const { endpoint, keys } = made.toJSON();
    const text = JSON.stringify({ endpoint, p256dh: keys.p256dh, auth: keys.auth });
    form.elements.subscription.value = text;
    await (await caches.open("device")).put("/me/device/kept", new Response(text)); // the worker proves by it who changed
    form.submit();
  }

  const able = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  show(able ? "ready" : "unable");
  document.getElementById("device-button").addEventListener("click", () => {
    subscribe().catch(() => show("failed"));
  });
})();
