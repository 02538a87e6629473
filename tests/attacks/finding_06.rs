//! The built-in capabilities are reached through their own sections alone.
