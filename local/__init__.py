"""The stack on one machine, and a stand-in for Loops."""
