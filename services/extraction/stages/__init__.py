"""Pure functions from what stands on a page to blocks in reading order, and from blocks to MMD."""
