// An SMSC on npm's smpp: takes binds and messages, answers as the number asks for, and says on stdout what it decoded.
//
// A number that ends in 58 is throttled, in 11 refused as no number, in 69 refused for our sender, in 99 never answered,
// in 77 undeliverable; all others are delivered. On stdin: {"reply": {from, to, text}}, {"receipt": {...}},
// {"deliver": {hex, payload, ...}}, {"data": {...}}, {"drop": true}.
"use strict";
const smpp = require("smpp");
const readline = require("readline");

const [systemId, password] = process.argv.slice(2);
const sessions = new Set();
const waiting = new Map(); // reference > parts
let count = 0;

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const server = smpp.createServer((session) => {
  session.on("error", () => session.destroy());
  session.on("close", () => sessions.delete(session));
  session.on("bind_transceiver", (pdu) => {
    const right = pdu.system_id === systemId && pdu.password === password;
    session.send(pdu.response({ command_status: right ? smpp.ESME_ROK : smpp.ESME_RBINDFAIL }));
    if (right) sessions.add(session);
    say({ bind: pdu.system_id, right });
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    say({ unbind: true });
    session.send(pdu.response());
    session.close();
  });
  session.on("submit_sm", (pdu) => taken(session, pdu));
});

function taken(session, pdu) {
  const to = pdu.destination_addr;
  const message = pdu.short_message.message;
  const udh = pdu.short_message.udh;
  const text = Buffer.isBuffer(message) ? message.toString("latin1") : message;
  const refuse = { 58: smpp.ESME_RTHROTTLED, 11: smpp.ESME_RINVDSTADR, 69: smpp.ESME_RINVSRCADR }[to.slice(-2)];
  say({
    to, text, coding: pdu.data_coding, esm: pdu.esm_class, from: pdu.source_addr, ton: pdu.source_addr_ton,
    validity: pdu.validity_period instanceof Date ? Math.round((pdu.validity_period - Date.now()) / 1000) : null,
    udh: udh ? udh.map((ie) => (Buffer.isBuffer(ie) ? ie.toString("hex") : String(ie))) : null,
  });
  if (to.endsWith("99")) return;
  if (refuse !== undefined) {
    session.send(pdu.response({ command_status: refuse }));
    return;
  }
  count += 1;
  const id = (0xa0 + count).toString(16);
  session.send(pdu.response({ message_id: id }));
  if (pdu.registered_delivery) receipt(session, id, pdu, to.endsWith("77") ? ["UNDELIV", 5, "021"] : ["DELIVRD", 2, "000"]);
}

function receipt(session, id, pdu, [stat, state, err]) {
  session.deliver_sm({
    source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4, receipted_message_id: id,
    message_state: state,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611220300 done date:2611220301 stat:${stat} err:${err} text:`,
  });
}

// A deliver_sm as an operator may write it: octets in hexadecimal, whatever optional parameters.
function deliver(session, { hex, payload, ...more }) {
  const pdu = { ...more, short_message: Buffer.from(hex || "", "hex") };
  if (payload) pdu.message_payload = Buffer.from(payload, "hex");
  session.deliver_sm(pdu, (answer) => say({ answered: answer.command_status }));
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const wish = JSON.parse(line);
  for (const session of sessions) {
    if (wish.reply) {
      const { from, to, text, ton } = wish.reply;
      session.deliver_sm({ source_addr: from, source_addr_ton: ton, destination_addr: to, short_message: text });
    }
    if (wish.data) session.data_sm(wish.data, (answer) => say({ answered: answer.command_status }));
    if (wish.deliver) deliver(session, wish.deliver);
    if (wish.receipt) session.deliver_sm({ esm_class: 4, ...wish.receipt });
    if (wish.drop) session.destroy();
  }
}).on("close", () => process.exit(0)); // who started us has gone

server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
