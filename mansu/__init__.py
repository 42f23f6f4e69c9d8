"""Quantization-permanent unlearning through circuit attribution."""

import logging
import os

# Before torch is loaded, in every entrance, since all of them import this. While one of its threads
# waits for another, torch's OpenMP spins, and on cores that it has to share nothing gets on.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# On some CPUs, bitsandbytes tells at every import that an optional package is missing.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(
    lambda record: "kernels-community" not in str(record.msg)
)

# Where torchao is installed, transformers imports it, and it tells of kernels that this machine
# cannot load and of what torch is going to change.
for _talkative in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_talkative).setLevel(logging.ERROR)
