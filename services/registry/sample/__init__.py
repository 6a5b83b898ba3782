"""A fictional community for rehearsals."""
