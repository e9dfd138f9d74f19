//! Sends what was signed to AWS. Under construction by the same hand as `sign` and `request`.
