"""Alembic migrations; they ship with the package (``headwater db upgrade``)."""
