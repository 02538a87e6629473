//! A template of a secret reads nothing but the secret itself.
