"""`git run mcp`: the runs of a repository as tools of a coding agent, over the Model Context Protocol."""
