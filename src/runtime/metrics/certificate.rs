//! The metrics of the serving certificate and its CA.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The metrics of the serving certificate and its CA.
#[derive(Debug, Default)]
pub struct CertificateMetrics {
    expiry: Gauge,
    faults: Gauge,
    authority_expiry: Gauge,
}

impl CertificateMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "certificate_expiry_timestamp",
            "When the serving certificate expires",
            Unit::Seconds,
            self.expiry.clone(),
        );
        registry.register(
            "certificate_faults",
            "1 while the certificate that was seen last cannot be used, so that the one before is",
            self.faults.clone(),
        );
        registry.register_with_unit(
            "authority_expiry_timestamp",
            "When the CA of a managed certificate expires",
            Unit::Seconds,
            self.authority_expiry.clone(),
        );
    }

    /// Records that a certificate with this expiry (seconds of Unix time) is in use.
    pub fn loaded(&self, expires: i64) {
        self.expiry.set(expires);
        self.faults.set(0);
    }

    /// Records that the certificate in use is valid again without a replacement.
    pub fn kept(&self) {
        self.faults.set(0);
    }

    /// Records that a certificate cannot be used.
    pub fn refused(&self) {
        self.faults.set(1);
    }

    /// Records the expiry of the CA of managed certificates (seconds of Unix time).
    pub fn authority_expires(&self, expires: i64) {
        self.authority_expiry.set(expires);
    }
}
