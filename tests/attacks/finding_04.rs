//! An application runs where the Environment lets it, and preempts nobody.
