"""Where product data is kept: SQLite by default, PostgreSQL in production. Media never waits for it."""
