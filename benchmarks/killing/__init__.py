"""Training killed on purpose: the parts of `make bench-kills`."""
