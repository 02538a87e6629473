//! Nobody opens a way to the cloud's metadata service, the nodes or the API server.
