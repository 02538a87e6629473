//! The gRPC contracts of the platform. This crate alone knows the wire; everybody else speaks in the types of
//! `idp-core`.

pub mod capability;

/// The generated types.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod proto {
    /// `idp.capability.v1`.
    pub mod capability {
        tonic::include_proto!("idp.capability.v1");
    }
}

/// Every contract as an encoded `FileDescriptorSet`: what the reflection service tells.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
