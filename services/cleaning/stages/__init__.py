"""Pure functions: blocks → pieces → sentences → chunks → examples."""
