"""Router: consumes WarningIssued, AudienceFound, EvidenceRecorded; publishes DeliveryDue; serves /live and /report."""
