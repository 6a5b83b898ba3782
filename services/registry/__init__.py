"""Registry: consumes WarningIssued, publishes AudienceFound in pages, serves /people and /me; nobody else reads people."""
