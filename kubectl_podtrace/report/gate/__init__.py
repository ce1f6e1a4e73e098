"""The gate: conditions on numbers of the report, under which a run fails."""
