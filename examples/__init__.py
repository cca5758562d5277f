"""Documents of our own writing, and the script that typesets them as real shelves look."""
