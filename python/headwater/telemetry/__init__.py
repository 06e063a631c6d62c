"""Logs and metrics."""

from headwater.telemetry.logs import configure_logs, get_logger
from headwater.telemetry.metrics import Metrics

__all__ = ["Metrics", "configure_logs", "get_logger"]
