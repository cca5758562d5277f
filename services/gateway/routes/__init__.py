"""What can be asked for, a module per noun."""
