"""Headwater: a real-time media server."""
