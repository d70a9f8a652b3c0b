//! Encrypted connections: the certificate of a listener, read again when its files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::Speaks;

/// How often the files are looked at.
const RECHECK: Duration = Duration::from_secs(2);

/// What encrypts a listener's connections.
pub struct Tls {
    files: TlsFiles,
    speaks: Speaks,
    current: ArcSwap<ServerConfig>,
}

/// Files in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Certificates of which one must vouch for every client's own.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    /// Reads the files, for connections of HTTP/1.1.
    ///
    /// # Errors
    /// As [`Tls::open_for`].
    pub fn open(files: TlsFiles) -> anyhow::Result<Self> {
        Self::open_for(files, Speaks::Http1)
    }

    /// Reads the files.
    ///
    /// # Errors
    /// One that cannot be read or does not hold what it should, or a key that is not the certificate's.
    pub fn open_for(files: TlsFiles, speaks: Speaks) -> anyhow::Result<Self> {
        let current = ArcSwap::from(read(&files, speaks)?);
        Ok(Self { files, speaks, current })
    }

    /// What takes a new connection, by the files as they are now.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current.load_full().into()
    }

    /// Reads the files again whenever one of them changes; never ends. What cannot be used is told, and the old
    /// certificate stays.
    pub async fn follow(&self) {
        let mut known = self.files.changed();
        loop {
            tokio::time::sleep(RECHECK).await;
            let now = self.files.changed();
            if now == known {
                continue;
            }
            known = now;
            match read(&self.files, self.speaks) {
                Ok(config) => {
                    self.current.store(config);
                    tracing::info!(file = %self.files.cert.display(), "the certificate was read again");
                }
                Err(error) => {
                    tracing::error!("the certificate stays the one of before: {error:#}");
                }
            }
        }
    }
}

impl TlsFiles {
    fn all(&self) -> impl Iterator<Item = &Path> {
        [&self.cert, &self.key].into_iter().chain(&self.client_ca).map(PathBuf::as_path)
    }

    /// When each of the files was changed.
    fn changed(&self) -> Vec<Option<SystemTime>> {
        let time = |file: &Path| std::fs::metadata(file).and_then(|meta| meta.modified()).ok();
        self.all().map(time).collect()
    }
}

fn read(files: &TlsFiles, speaks: Speaks) -> anyhow::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .context("the versions of TLS")?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).with_context(|| {
                    format!("{} holds a certificate that can vouch for nobody", file.display())
                })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("cannot read a private key in PEM from {}", files.key.display()))?;
    let mut config = builder.with_single_cert(certificates(&files.cert)?, key).with_context(|| {
        format!("{} is not the key of the certificate in {}", files.key.display(), files.cert.display())
    })?;
    let name: &[u8] = match speaks {
        Speaks::Http1 => b"http/1.1",
        Speaks::Http2 => b"h2",
    };
    config.alpn_protocols = vec![name.to_vec()];
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
    let certificates =
        read().with_context(|| format!("cannot read certificates in PEM from {}", file.display()))?;
    if certificates.is_empty() {
        bail!("{} holds no certificate in PEM", file.display());
    }
    Ok(certificates)
}
