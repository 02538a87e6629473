//! One deeply nested object must not stop or slow the work for others.
