"""Router: hears WarningIssued, AudienceFound, EvidenceRecorded; says DeliveryDue; serves /live and /report."""
