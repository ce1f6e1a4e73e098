// Files by promises: with UV_USE_IO_URING=1 libuv hands all of this to io_uring. Usage: uring.js DIRECTORY
"use strict";

const fs = require("fs");

const WRITES = 101, READS = 53, FILES = 7;

async function main(directory) {
  fs.writeSync(1, "ready\n");
  fs.readSync(0, Buffer.alloc(1));
  const requests = { "io_uring.transfer": 0, "io_uring.name": 0, "io_uring.close": 0 };
  for (let number = 0; number < FILES; number++) {
    const path = `${directory}/file-${number}`;
    const file = await fs.promises.open(path, "w+");
    for (let i = 0; i < WRITES; i++) await file.write(Buffer.alloc(10), 0, 10, 10 * i);
    for (let i = 0; i < READS; i++) await file.read(Buffer.alloc(10), 0, 10, 10 * i);
    await file.sync();
    await file.close();
    await fs.promises.unlink(path);
    requests["io_uring.transfer"] += WRITES + READS;
    requests["io_uring.name"] += 3;
    requests["io_uring.close"]++;
  }
  fs.writeSync(1, JSON.stringify({ operations: {}, errors: [], requests }) + "\n");
}

main(process.argv[2]);
