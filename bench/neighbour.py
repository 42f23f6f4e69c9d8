"""Times a fixed piece of work alone and beside one busy process, by how torch's threads wait.

480 small linear layers on as many threads as there are cores. ``PASSIVE`` is what mansu sets;
``ACTIVE`` has a thread spin while it waits for another. Prints a table; asserts nothing.
"""

import os
import subprocess
import sys
from contextlib import contextmanager

WORK = """
import os, time, torch
torch.set_num_threads(os.cpu_count())
x = torch.randn(200, 576)
layers = [torch.nn.Linear(576, width) for width in (576, 1536)] * 240
times = []
with torch.inference_mode():
    for _ in range(4):  # the first warms up
        start = time.perf_counter()
        for layer in layers:
            layer(x)
        times.append(time.perf_counter() - start)
print(min(times[1:]))
"""


def seconds(policy: str) -> float:
    """The work's shortest wall time of three, in a process with that policy."""
    environment = {name: v for name, v in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-c", WORK]
    ended = subprocess.run(  # noqa: S603 (our own command line, no shell)
        command,
        env=environment | {"OMP_WAIT_POLICY": policy},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(ended.stdout)


@contextmanager
def neighbour():
    """One process that keeps a core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Prints seconds and the ratio beside a neighbour to alone."""
    print(f"480 linear layers, {os.cpu_count()} threads and cores")
    print(f"{'OMP_WAIT_POLICY':<18}{'alone s':>10}{'beside s':>10}{'ratio':>8}")
    for policy in ("PASSIVE", "ACTIVE"):
        alone = seconds(policy)
        with neighbour():
            beside = seconds(policy)
        print(f"{policy:<18}{alone:>10.2f}{beside:>10.2f}{beside / alone:>8.2f}")


if __name__ == "__main__":
    main()
