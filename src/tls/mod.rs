//! Certificates: creating them, reading them, the one in use, and the check of client certificates.

pub mod certificate;
pub mod clients;
pub mod keys;
pub mod self_signed;
pub mod x509;
