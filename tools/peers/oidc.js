// An OpenID provider on npm's oidc-provider: whoever gives a name and any password is that person.
//
// Arguments: client id, secret, redirect URI. On stdout the port it listens on; it ends with its stdin.
"use strict";
const http = require("node:http");

(async () => {
  const { Provider } = await import("oidc-provider");
  const [client_id, client_secret, redirect] = process.argv.slice(2);
  const server = http.createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id, client_secret, redirect_uris: [redirect] }],
    pkce: { required: () => true },
    cookies: { keys: ["a key of the peer"] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  });
  server.on("request", provider.callback());
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
  process.stdin.on("end", () => process.exit(0)).resume();
})();
