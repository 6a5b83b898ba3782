"""Channels: consumes DeliveryDue and NoticeRequested, publishes EvidenceRecorded, serves /l, /a and /callbacks."""
