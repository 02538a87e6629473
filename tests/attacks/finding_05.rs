//! Only what a claim itself says decides about its data.
