"""The database: published recordings, readable with plain SQL (docs/database.md).

Who publishes imports `publish`, who reads imports `loading`; a measured process imports neither before its program has
ended.
"""
