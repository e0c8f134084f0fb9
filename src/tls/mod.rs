//! Certificates: made, read, in use, and who is let in.

pub mod certificate;
pub mod clients;
pub mod keys;
pub mod self_signed;
pub mod x509;
