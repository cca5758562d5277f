"""Pages whose every line has a known label: invented texts set in invented looks, for the tagger of lines to learn from."""
