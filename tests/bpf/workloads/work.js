// The known work of work.py, in JavaScript.
"use strict";

const fs = require("fs");
const net = require("net");
const { spawnSync } = require("child_process");

const FILES = 13, WRITES = 7, MISSING = 5, CONNECTIONS = 11, ROUNDS = 3, REFUSED = 5, CHILDREN = 3;
const BLOCK = Buffer.alloc(101, "f"), MESSAGE = Buffer.alloc(53, "m"), HOST = "127.0.0.1";
const told = { operations: {}, errors: [], files: [], failed_opens: 0, sends: 0, sent: 0, receives: null, received: 0 };

function useFile(path) {
  let operations = 0, moved = 0;
  let descriptor = fs.openSync(path, "w");
  for (let i = 0; i < WRITES; i++) {
    moved += fs.writeSync(descriptor, BLOCK);
    operations++;
  }
  fs.fsyncSync(descriptor);
  operations++;
  fs.closeSync(descriptor);
  descriptor = fs.openSync(path, "r");
  for (let got = 1; got > 0; ) {
    got = fs.readSync(descriptor, Buffer.alloc(BLOCK.length));
    moved += got;
    operations++;
  }
  fs.closeSync(descriptor);
  fs.unlinkSync(path);
  told.files.push([path, operations, moved, 2]);
}

function missing(path) {
  try {
    fs.openSync(path, "r");
  } catch (error) {
    if (error.code === "ENOENT") told.failed_opens++;
  }
}

function talk(port) {
  return new Promise((resolve, reject) => {
    const connection = net.connect(port, HOST);
    let rounds = 0, waiting = 0;
    const send = () => {
      connection.write(MESSAGE);
      told.sends++;
      told.sent += MESSAGE.length;
      waiting = MESSAGE.length;
    };
    connection.on("connect", send);
    connection.on("data", (data) => {
      told.received += data.length;
      waiting -= data.length;
      if (waiting > 0) return;
      if (++rounds < ROUNDS) send();
      else connection.destroy();
    });
    connection.on("error", reject);
    connection.on("close", resolve);
  });
}

function refused(port) {
  return new Promise((resolve) => {
    net.connect(port, HOST).on("error", (error) => resolve(error.code === "ECONNREFUSED" ? 1 : 0));
  });
}

async function main(directory, port, closed) {
  fs.writeSync(1, "ready\n");
  fs.readSync(0, Buffer.alloc(1));
  for (let i = 0; i < FILES; i++) useFile(`${directory}/file-${i}`);
  for (let i = 0; i < MISSING; i++) missing(`${directory}/missing-${i}`);
  for (let i = 0; i < CONNECTIONS; i++) await talk(port);
  let failed = 0;
  for (let i = 0; i < REFUSED; i++) failed += await refused(closed);
  let children = 0;
  for (let i = 0; i < CHILDREN; i++) children += spawnSync("/bin/true").status === 0 ? 1 : 0;
  const targets = [[HOST, port, CONNECTIONS, 0, CONNECTIONS], [HOST, closed, failed, failed, 0]];
  fs.writeSync(1, JSON.stringify({ ...told, targets, children }) + "\n");
}

main(process.argv[2], Number(process.argv[3]), Number(process.argv[4]));
