"""Statistics over trial results: pure functions that name the source of their formula and define their edges.

None is undefined, never zero. scipy and numpy are loaded inside the functions that need them.
"""
