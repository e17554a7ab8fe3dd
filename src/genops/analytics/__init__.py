"""Analytics: reports, exports and forecasts from the ledger."""
