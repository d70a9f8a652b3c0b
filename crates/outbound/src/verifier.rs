//! Certificates of servers, accepted as Go's `crypto/tls` accepts them.
//!
//! A certificate that is itself among the trusted ones is accepted by its name and its time, also where it is an
//! authority's: the set-up of a self-signed certificate that is its own `ca_file`. Other chains end in an authority.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::validity::validity;

/// Holds a server's certificate against trusted ones.
#[derive(Debug)]
pub(crate) struct Verifier {
    authorities: Arc<dyn ServerCertVerifier>,
    trusted: Vec<CertificateDer<'static>>,
    /// The name that is looked for in place of the address's.
    name: Option<ServerName<'static>>,
}

impl Verifier {
    /// Trusts these certificates alone, and the machine's where there are none.
    ///
    /// # Errors
    /// No certificate that can be trusted.
    pub fn new(
        trusted: Vec<CertificateDer<'static>>,
        name: Option<ServerName<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, rustls::Error> {
        let authorities: Arc<dyn ServerCertVerifier> = if trusted.is_empty() {
            Arc::new(rustls_platform_verifier::Verifier::new(provider.clone())?)
        } else {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trusted.iter().cloned());
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?
        };
        Ok(Self { authorities, trusted, name })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = self.name.as_ref().unwrap_or(server_name);
        let verdict =
            self.authorities.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        if verdict.is_ok() || !self.trusted.iter().any(|trusted| trusted == end_entity) {
            return verdict;
        }
        rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
        let (not_before, not_after) = validity(end_entity).ok_or(CertificateError::BadEncoding)?;
        match now.as_secs() {
            now if now < not_before => Err(CertificateError::NotValidYet.into()),
            now if now > not_after => Err(CertificateError::Expired.into()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    fn certificate(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    fn verdict(
        trusted: &str,
        sent: &str,
        name: Option<&str>,
        address: &str,
        year: u64,
    ) -> Result<(), String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let name = name.map(|name| ServerName::try_from(name.to_owned()).unwrap());
        let verifier = Verifier::new(vec![certificate(trusted)], name, &provider).unwrap();
        let address = ServerName::try_from(address.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952));
        let verdict = verifier.verify_server_cert(&certificate(sent), &[], &address, &[], now);
        verdict.map(|_| ()).map_err(|error| error.to_string())
    }

    // Made by `openssl req -x509 -days 36500`: two that are their own authority, and one with a leaf.
    const ITSELF: &str = include_str!("verifier/certificates/itself.pem");
    const OTHER: &str = include_str!("verifier/certificates/other.pem");
    const AUTHORITY: &str = include_str!("verifier/certificates/authority.pem");
    const LEAF: &str = include_str!("verifier/certificates/leaf.pem");

    #[test]
    fn a_certificate_may_be_its_own_authority() {
        assert_eq!(verdict(ITSELF, ITSELF, None, "localhost", 2030), Ok(()));
        assert_eq!(verdict(ITSELF, ITSELF, Some("localhost"), "10.0.0.1", 2030), Ok(()));
        for (refused, reason) in [
            (verdict(ITSELF, OTHER, None, "localhost", 2030), "CaUsedAsEndEntity"),
            (verdict(ITSELF, ITSELF, None, "example.org", 2030), "not valid for name"),
            (verdict(ITSELF, ITSELF, Some("example.org"), "localhost", 2030), "not valid for name"),
            (verdict(ITSELF, ITSELF, None, "localhost", 2020), "NotValidYet"),
            (verdict(ITSELF, ITSELF, None, "localhost", 2200), "Expired"),
        ] {
            assert!(
                refused.clone().is_err_and(|error| error.contains(reason)),
                "{refused:?}, expected {reason}"
            );
        }
    }

    #[test]
    fn chains_end_in_an_authority_and_have_the_name_that_is_asked_for() {
        assert_eq!(verdict(AUTHORITY, LEAF, None, "inner.example", 2030), Ok(()));
        assert_eq!(verdict(AUTHORITY, LEAF, Some("inner.example"), "10.0.0.1", 2030), Ok(()));
        assert!(verdict(AUTHORITY, LEAF, None, "10.0.0.1", 2030).is_err());
        assert!(verdict(OTHER, LEAF, None, "inner.example", 2030).is_err());
        assert!(verdict(AUTHORITY, LEAF, None, "inner.example", 2200).is_err());
    }
}
