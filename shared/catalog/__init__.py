"""The catalog: users' view of the object store, in SQL."""
