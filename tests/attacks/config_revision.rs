//! An old pod never reads a new configuration file.
