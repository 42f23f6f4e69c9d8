"""mansu."""
