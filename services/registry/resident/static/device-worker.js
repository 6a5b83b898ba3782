// Shows a message that was pushed to this device, and opens its answer link when it is tapped. When the browser changes its
// subscription, it tells the register: the old one, which only this device and the register know, proves whose it is. It
// keeps the subscription it has told, and nothing else.
"use strict";

const KEPT = "/me/device/kept"; // in the browser's cache; never asked of the server
const WAITS_MS = [0, 2000, 10000, 30000];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  const { title, body, link, tag, lang, urgent } = event.data.json();
  event.waitUntil(
    self.registration.showNotification(title, {
      body, tag, lang, renotify: true, requireInteraction: urgent, data: { link }, icon: "/static/icon.svg",
      vibrate: [600, 200, 600, 200, 600],
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.link));
});

const plain = (subscription) => {
  const { endpoint, keys } = subscription.toJSON();
  return { endpoint, p256dh: keys.p256dh, auth: keys.auth };
};

async function told() {
  const answer = await (await caches.open("device")).match(KEPT);
  return answer ? answer.json() : null;
}

async function keep(subscription) {
  await (await caches.open("device")).put(KEPT, new Response(JSON.stringify(subscription)));
}

async function subscribe() {
  const answer = await fetch("/callbacks/web_push/key", { credentials: "omit" });
  const text = (await answer.text()).trim().replace(/-/g, "+").replace(/_/g, "/");
  const key = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

async function renew(event) {
  // what was told last counts: a renewal may have failed before, and then the browser's old one is nobody's here
  const before = (await told()) || (event.oldSubscription && plain(event.oldSubscription));
  if (!before) return; // nothing proves whose device it is: she chooses it again on her page
  for (const wait of WAITS_MS) {
    await new Promise((go) => setTimeout(go, wait));
    try {
      const now = plain(event.newSubscription || (await self.registration.pushManager.getSubscription()) || (await subscribe()));
      const answer = await fetch("/me/device/renew", {
        method: "POST", credentials: "omit", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ before, now }),
      });
      if (answer.ok) return await keep(now);
      if (answer.status < 500 && answer.status !== 429) return; // not known any more: it would not be in a minute
    } catch {
      // no network just now
    }
  }
}

self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));
