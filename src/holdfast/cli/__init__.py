"""The command line: parse, call the owner of the data directory, print."""
