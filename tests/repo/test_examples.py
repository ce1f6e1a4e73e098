from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECONDS = 1
ORDERS = 2 * SECONDS


def test_the_shop_does_what_its_readme_says_and_leaves_nothing_behind(root: Path, tmp_path: Path) -> None:
    shop = root / "examples/shop/shop.py"
    command = [sys.executable, "-W", "error", str(shop), "--seconds", str(SECONDS), "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"shop: {ORDERS} orders: {ORDERS} stock questions, {3 * ORDERS} refused payments, "
        f"{ORDERS} fsyncs of {64 * 2**20} bytes each, {5 * ORDERS} receipts never closed\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_shop_refuses_a_duration_that_it_cannot_keep(root: Path) -> None:
    command = [sys.executable, str(root / "examples/shop/shop.py"), "--seconds", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "from 1 to 3600" in done.stderr
