"""The guard inside other frameworks.  Each has a module of its own and is imported only there."""
