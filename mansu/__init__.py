"""Quantization-permanent unlearning through circuit attribution."""

import logging

# bitsandbytes warns at every import that an optional kernel is missing; nothing here needs it.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
