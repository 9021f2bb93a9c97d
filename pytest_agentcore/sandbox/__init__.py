"""Where tools and checkers run code: workspaces and the two sandboxes around them."""
