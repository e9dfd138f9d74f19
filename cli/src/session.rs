//! Session credentials for `credential-process` and `exec`.
