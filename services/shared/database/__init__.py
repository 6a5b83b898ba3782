"""The one database: engine, statements over many rows, its soundness, the disk below it."""
