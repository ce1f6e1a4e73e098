"""The command line: what was asked is understood here, and what happened is said here, in text and exit codes."""
