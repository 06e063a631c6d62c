"""Listeners: each binds a wire format to the rooms."""
