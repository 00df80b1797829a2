//! The bundle of roots as Java reads it: a PKCS#12 store (RFC 7292) of trusted certificates. It
//! holds nothing secret; its password is the one that Java's own store has.

use exeat_api::pod::TRUST_STORE_PASSWORD;
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The password is public, so that rounds of hashing would protect nothing.
const ROUNDS: u32 = 1;

/// The certificates of a PEM text as a trust store. One that cannot be read is left out.
///
/// # Errors
/// When the store cannot be encoded.
pub fn from_pem(bundle: &str) -> Result<Vec<u8>, p12_keystore::error::Error> {
    let mut store = KeyStore::new();
    for (number, certificate) in CertificateDer::pem_slice_iter(bundle.as_bytes()).enumerate() {
        let read = certificate.ok().and_then(|der| Certificate::from_der(&der).ok());
        match read {
            Some(read) => {
                store.add_entry(&format!("root-{number}"), KeyStoreEntry::Certificate(read))
            }
            None => tracing::warn!(number, "Root certificate left out of the trust store"),
        }
    }
    store.writer(TRUST_STORE_PASSWORD).encryption_iterations(ROUNDS).mac_iterations(ROUNDS).write()
}

#[cfg(test)]
mod tests {
    use super::*;
    use p12_keystore::Pkcs12ImportPolicy;
    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn a_store_holds_the_certificates_of_the_bundle() {
        let root =
            || CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (one, other) = (root(), root());
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let store = from_pem(&format!("{}{broken}\n{}", one.pem(), other.pem())).unwrap();
        let read = KeyStore::from_pkcs12(&store, TRUST_STORE_PASSWORD, Pkcs12ImportPolicy::Strict)
            .unwrap();
        let mut found: Vec<_> = read
            .entries()
            .map(|(_, entry)| match entry {
                KeyStoreEntry::Certificate(certificate) => certificate.as_der().to_vec(),
                other => panic!("not a trusted certificate: {other:?}"),
            })
            .collect();
        let mut expected = vec![one.der().to_vec(), other.der().to_vec()];
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}
