//! The gRPC contracts of the platform. Only this crate uses the generated types; all others use those of `idp-core`.

pub mod capability;

/// The generated types.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod proto {
    /// `idp.capability.v1`.
    pub mod capability {
        tonic::include_proto!("idp.capability.v1");
    }
}

/// Every contract as an encoded `FileDescriptorSet`, for the reflection service.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
