//! `[api.tls]` and `[console.tls]`: the files of an encrypted listener.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::server::TlsFiles;

/// The files of an encrypted listener, in PEM. They are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and those that vouch for it, the server's own first; relative to the configuration file.
    pub cert_file: PathBuf,
    /// The certificate's private key.
    pub key_file: PathBuf,
    /// Certificates of which one must vouch for every client's own; none: clients need none.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
}

impl From<&TlsConfig> for TlsFiles {
    fn from(files: &TlsConfig) -> Self {
        let TlsConfig { cert_file, key_file, client_ca_file } = files;
        Self { cert: cert_file.clone(), key: key_file.clone(), client_ca: client_ca_file.clone() }
    }
}

impl TlsConfig {
    /// Takes paths from `base` on.
    pub(super) fn resolve(&mut self, base: &Path) {
        for file in [&mut self.cert_file, &mut self.key_file].into_iter().chain(&mut self.client_ca_file) {
            *file = base.join(&*file);
        }
    }
}
