"""Gateway: hears nothing, says WarningIssued, serves /console /public /cap /api/v1/warnings."""
