//! What a tenant can make, and how often, has bounds.
