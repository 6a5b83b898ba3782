// A provider on node's own http, forms read by npm's qs: counts whom each request is to, and answers as the path asks for.
//
// Paths: /plain, /chunked, /early (103 before), /continue (100 before), /gzip, /until-end (no length), /close, /late (in 20 ms).
// GET /count gives {number: requests}. Arguments: seconds a connection is kept, and for TLS the files of key and certificate.
"use strict";
const fs = require("fs");
const http = require("http");
const https = require("https");
const zlib = require("zlib");
const qs = require("qs");

const [kept, key, cert] = process.argv.slice(2);
const counts = {};
const WAYS = {
  plain: (res, body) => res.writeHead(201, { "Content-Length": body.length }).end(body),
  chunked: (res, body) => {
    res.writeHead(201);
    for (const octet of body) res.write(Buffer.of(octet));
    res.end();
  },
  // Over TLS node may write an answer's head before an interim answer of the same turn, so the answer comes a turn later.
  early: (res, body) => {
    res.writeEarlyHints({ link: "</style.css>; rel=preload" });
    setTimeout(() => WAYS.plain(res, body), 1);
  },
  continue: (res, body) => {
    res.writeContinue();
    setTimeout(() => WAYS.plain(res, body), 1);
  },
  gzip: (res, body) => res.writeHead(201, { "Content-Encoding": "gzip" }).end(zlib.gzipSync(body)),
  "until-end": (res, body) => {
    res.useChunkedEncodingByDefault = false;
    res.writeHead(201, { Connection: "close" });
    res.write(body.subarray(0, 5));
    res.end(body.subarray(5));
  },
  close: (res, body) => res.writeHead(201, { Connection: "close", "Content-Length": body.length }).end(body),
  late: (res, body) => setTimeout(() => WAYS.plain(res, body), 20),
};

function answer(req, res) {
  const pieces = [];
  req.on("data", (piece) => pieces.push(piece));
  req.on("end", () => {
    if (req.url === "/count") return res.end(JSON.stringify(counts));
    const { To: to } = qs.parse(Buffer.concat(pieces).toString());
    counts[to] = (counts[to] || 0) + 1;
    WAYS[req.url.slice(1)](res, Buffer.from(JSON.stringify({ sid: "SM" + to })));
  });
}

const server = key
  ? https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, answer)
  : http.createServer(answer);
server.keepAliveTimeout = Number(kept) * 1000;
server.listen(0, "127.0.0.1", () => process.stdout.write(JSON.stringify({ port: server.address().port }) + "\n"));
process.stdin.on("end", () => process.exit(0)).resume();
