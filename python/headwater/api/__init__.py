"""HTTP and signalling: what comes in is parsed and authorised here, and handed to the products."""
