"""Reading and writing documents: one module is one format, and a file's content says which."""
