"""Registry: hears WarningIssued, says AudienceFound in pages, serves /people; people are read by nobody else."""
