//! A patch is no way around what the platform promises.
