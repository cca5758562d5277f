"""Work that the gateway does itself: on facts and files as wholes, where stages work on what is in them."""
