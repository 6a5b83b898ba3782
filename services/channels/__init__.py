"""Channels: hears DeliveryDue and NoticeRequested, says EvidenceRecorded, serves /l (officers) /a (answers) /callbacks."""
