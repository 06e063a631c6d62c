"""The conferencing product."""
