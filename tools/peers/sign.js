// Signs one request as its author's library does (RFC 9421): reads {method, url, headers, fields, private, keyid, created, nonce}
// from standard input and writes the headers that it would send.
'use strict';
const { httpbis, createSigner } = require('http-message-signatures');

let text = '';
process.stdin.on('data', (chunk) => { text += chunk; });
process.stdin.on('end', async () => {
  const asked = JSON.parse(text);
  const signed = await httpbis.signMessage({
    key: createSigner(asked.private, 'ed25519', asked.keyid),
    name: 'peer',
    fields: asked.fields,
    params: ['created', 'keyid', 'nonce', 'alg'],
    paramValues: { created: new Date(asked.created * 1000), nonce: asked.nonce },
  }, { method: asked.method, url: asked.url, headers: asked.headers });
  process.stdout.write(JSON.stringify(signed.headers));
});
