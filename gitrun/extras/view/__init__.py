"""`git run view`: the runs of a repository in a browser, served on this machine alone, and only for reading."""
