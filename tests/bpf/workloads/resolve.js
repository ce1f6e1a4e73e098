// SPDX-License-Identifier: Apache-2.0
// Looks names up one after the other: by the C library (`lookup`), or by c-ares (`resolve`).
"use strict";
const dns = require("node:dns").promises;

async function main([how, ...names]) {
  for (const name of names) {
    const asked = how === "lookup" ? [dns.lookup(name, { all: true })] : [dns.resolve4(name), dns.resolve6(name)];
    await Promise.allSettled(asked);
  }
  console.log("done");
}

main(process.argv.slice(2));
