//! What the API server accepts is read, and what is shown controls no terminal.
