"""Triage: tickets in, a 0-100 score, a priority and a route out, explained."""
