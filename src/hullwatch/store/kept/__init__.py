"""Events that are kept: a log that is appended to, packed into Parquet files of an hour each, and asked with SQL."""
