// Reads [{scheme, pages: [hex]}] on stdin and says on stdout what npm's node-pdu makes of each page: its own GSM-7 and UCS-2.
"use strict";
const { utils } = require("node-pdu");

const SEPTETS = 93;
let text = "";
process.stdin.on("data", (some) => (text += some));
process.stdin.on("end", () => {
  const read = { 15: (page) => utils.Helper.decode7Bit(page, SEPTETS), 72: (page) => utils.Helper.decode16Bit(page) };
  const found = JSON.parse(text).map(({ scheme, pages }) => pages.map(read[scheme]));
  process.stdout.write(JSON.stringify(found));
});
