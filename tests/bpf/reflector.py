"""A network namespace whose only way out is a mirror: what is sent to 10.77.0.2 comes back as if 10.77.0.2 had sent it.

So a program inside talks to its own servers over a distance. Usage: reflector.py DELAY_MS LOST_OF_100. Prints `ready`.
Source and destination change places, which leaves the checksums right.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x1, 0x1000
HERE, THERE = "10.77.0.1", "10.77.0.2"


def open_device() -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"mirror", IFF_TUN | IFF_NO_PI))
    for words in (
        ("link", "set", "lo", "up"),
        ("addr", "add", f"{HERE}/24", "dev", "mirror"),
        ("link", "set", "mirror", "up"),
    ):
        subprocess.run(["ip", *words], check=True)
    return device


def main() -> None:
    delay_s, lost = int(sys.argv[1]) / 1000, int(sys.argv[2])
    device, chance = open_device(), random.Random(7)
    waiting: deque[tuple[float, bytes]] = deque()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        patience = max(waiting[0][0] - time.monotonic(), 0) if waiting else None
        if select.select([device], [], [], patience)[0]:
            packet = os.read(device, 65536)
            if packet[0] >> 4 == 4 and chance.randrange(100) >= lost:
                turned = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                waiting.append((time.monotonic() + delay_s, turned))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(device, waiting.popleft()[1])


if __name__ == "__main__":
    main()
