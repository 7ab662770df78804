"""Who is told of an incident, when, by which output, and until when: rosters, calendars and policies as data."""
