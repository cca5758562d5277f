"""The `lectern` command: a client of the gateway, the one-machine launcher, and the demonstration."""
