"""Wire formats: bytes in, events out, no input or output of their own."""
