"""The command line, and nothing that computes."""

from mansu.cli.commands import main as main
