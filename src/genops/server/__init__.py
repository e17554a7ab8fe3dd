"""`genops serve`: one process that receives telemetry, keeps the analytics database and shows the dashboard."""
