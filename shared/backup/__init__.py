"""Backups of the object store, which holds every fact: taken while Lectern works, checked by digest, put back anywhere."""
