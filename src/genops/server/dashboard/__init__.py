"""The dashboard: pages over the ledger, made on the server, that load nothing from anywhere else."""

from genops.server.dashboard.app import routes

__all__ = ["routes"]
