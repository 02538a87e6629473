//! External Secrets reads and writes only what is the tenant's.
