//! A host is held by who may have it, whatever the gateway and the TLS mode.
