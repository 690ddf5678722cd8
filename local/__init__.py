"""The whole stack on one machine: its own AWS, a sandbox that plays Loops, and the trial of the built artifacts."""
