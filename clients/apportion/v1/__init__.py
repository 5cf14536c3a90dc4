"""Generated from `proto/apportion/v1` by `proto/generate`; never edited."""
