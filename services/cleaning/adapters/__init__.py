"""The tokenizer that counts, and the files that datasets are written to."""
