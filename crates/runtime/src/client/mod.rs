//! The API server: the connection, and the requests that are sent.

pub(crate) mod connect;
pub(crate) mod request;
