"""`genops serve`: one process that receives OTLP, keeps the ledger's analytics and shows them."""

from genops.server.app import make_app
from genops.server.state import Changes, ServerState

__all__ = ["Changes", "ServerState", "make_app"]
