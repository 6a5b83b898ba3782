// Shows a message that was pushed to this device, and opens its answer link when it is tapped. It keeps nothing.
"use strict";

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
