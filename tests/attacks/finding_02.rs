//! Objects that only claim to be another resource's children are nobody's.
