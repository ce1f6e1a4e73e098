// The same operations through functions of the same names as stacks.c.
const fs = require('fs');

function journal(file, text) {
  fs.writeSync(file, text);
}

function writesByHand(file) {
  for (let i = 0; i < 7; i++) journal(file, 'by hand');
}

function writesByFoot(file) {
  for (let i = 0; i < 11; i++) journal(file, 'by foot');
}

const file = fs.openSync(process.argv[2], 'w');
const line = Buffer.alloc(1);
fs.writeSync(1, 'ready\n');
fs.readSync(0, line);
writesByHand(file);
writesByFoot(file);
fs.writeSync(1, 'done\n');
fs.readSync(0, line);
