//! A CertificateBinding gets certificates where the Environment says, and for hosts that nobody else holds.
