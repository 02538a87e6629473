//! Data outlive mistakes until their grace period ends.
