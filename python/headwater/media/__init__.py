"""The object model over the compiled core; usable alone, as a library. Import from `headwater`."""
