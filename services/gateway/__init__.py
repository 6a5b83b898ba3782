"""Gateway: consumes nothing, publishes WarningIssued, serves /console, /public, /cap and /api/v1/warnings."""
