// Judges what we make with others' libraries: a JSON question a line on stdin, a JSON answer a line on stdout.
//
// push: http_ece opens a message as the device would, jws verifies who sent it. sign, valid: npm twilio's signatures.
"use strict";
const crypto = require("crypto");
const readline = require("readline");
const ece = require("http_ece");
const jws = require("jws");
const twilio = require("twilio");

const questions = {
  push({ body, device, auth }) {
    const receiver = crypto.createECDH("prime256v1");
    receiver.setPrivateKey(Buffer.from(device, "base64url"));
    const options = { version: "aes128gcm", privateKey: receiver, authSecret: auth };
    return { text: ece.decrypt(Buffer.from(body, "base64"), options).toString("utf8") };
  },
  vapid({ token, key }) {
    const point = Buffer.from(key, "base64url");
    const jwk = {
      kty: "EC", crv: "P-256", x: point.subarray(1, 33).toString("base64url"), y: point.subarray(33).toString("base64url"),
    };
    const pem = crypto.createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
    const read = jws.decode(token);
    return { right: jws.verify(token, "ES256", pem), header: read.header, claims: read.payload };
  },
  sign({ secret, url, form }) {
    return { signature: twilio.getExpectedTwilioSignature(secret, url, form) };
  },
  valid({ secret, signature, url, form }) {
    return { right: twilio.validateRequest(secret, signature, url, form) };
  },
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { what, ...question } = JSON.parse(line);
  let answer;
  try {
    answer = questions[what](question);
  } catch (problem) {
    answer = { problem: String(problem) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}).on("close", () => process.exit(0)); // who started us has gone
