//! Any content of a Secret is reduced, and the result holds no password.
#![cfg_attr(feature = "libfuzzer", no_main)]

use pullgate::kubelet::docker_config::{self, Form};
use pullgate::secrets::credentials::{FingerprintKey, SecretContent};
use pullgate_fuzz::fuzz_target;
use zeroize::Zeroizing;

/// A shorter password may by chance be part of another text that is shown.
const LONG: usize = 24;

fuzz_target!(|bytes: &[u8]| {
    let key = FingerprintKey::new(&[7; FingerprintKey::LENGTH]);
    for form in [Form::ConfigJson, Form::Config] {
        let Some(content) = SecretContent::new(form, Zeroizing::new(bytes.to_vec())) else {
            return;
        };
        let kept = content.reduce(key.as_ref());
        let shown = format!("{content:?} {kept:?}");
        assert!(kept.flaws().count() <= kept.credentials().len());
        for credential in kept.credentials() {
            let _ = credential.account(None);
        }
        for entry in docker_config::read(form, bytes).into_iter().flatten() {
            let password = String::from_utf8_lossy(&entry.password).into_owned();
            let is_elsewhere = [
                &entry.username[..],
                entry.key.as_deref().unwrap_or_default(),
            ]
            .iter()
            .any(|part| String::from_utf8_lossy(part).contains(&password));
            assert!(password.len() < LONG || is_elsewhere || !shown.contains(&password));
        }
    }
});
