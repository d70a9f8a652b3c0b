//! HTTP clients and credentials as `prometheus.yml` describes them.

use std::path::PathBuf;

use streamflow_outbound::{Client, ClientSettings, Credentials, Error, Secret, TlsFiles, TlsVersion};
use streamflow_prometheus_yml::{
    Header, HttpSettings, Secret as Written, TlsConfig, TlsVersion as WrittenVersion,
};

/// A client; reads the files of its `tls_config`, so it blocks.
///
/// # Errors
/// A file that cannot be read or holds no certificate.
pub fn client(http: &HttpSettings) -> Result<Client, Error> {
    let tls = |tls: &TlsConfig| TlsFiles {
        ca: pem(&tls.ca, tls.ca_file.as_ref()),
        certificate: pem(&tls.cert, tls.cert_file.as_ref()),
        key: pem(tls.key.reveal(), tls.key_file.as_ref()),
        server_name: tls.server_name.clone().filter(|name| !name.is_empty()),
        insecure_skip_verify: tls.insecure_skip_verify,
        min_version: tls.min_version.map(version),
        max_version: tls.max_version.map(version),
    };
    let tls = http.tls_config.as_ref().map(tls);
    let headers = http.http_headers.iter().map(|(name, header)| (name.clone(), header_values(header)));
    ClientSettings { follow_redirects: http.follow_redirects, tls, headers: headers.collect() }.client()
}

/// A text, or the file that has it; an empty one is not set.
fn pem(text: &str, file: Option<&PathBuf>) -> Option<Secret> {
    let file = file.filter(|file| !file.as_os_str().is_empty()).cloned().map(Secret::File);
    file.or_else(|| Some(text).filter(|text| !text.is_empty()).map(|text| Secret::Text(text.to_owned())))
}

fn version(written: WrittenVersion) -> TlsVersion {
    match written {
        WrittenVersion::V1_0 => TlsVersion::V1_0,
        WrittenVersion::V1_1 => TlsVersion::V1_1,
        WrittenVersion::V1_2 => TlsVersion::V1_2,
        WrittenVersion::V1_3 => TlsVersion::V1_3,
    }
}

fn header_values(header: &Header) -> Vec<Secret> {
    let texts = header.values.iter().map(String::as_str).chain(header.secrets.iter().map(Written::reveal));
    let texts = texts.map(|text| Secret::Text(text.to_owned()));
    texts.chain(header.files.iter().cloned().map(Secret::File)).collect()
}

/// The credentials; of the kinds, at most one is set.
pub fn credentials(http: &HttpSettings) -> Credentials {
    if let Some(basic) = &http.basic_auth {
        return Credentials::Basic {
            user: secret(&basic.username, basic.username_file.as_ref()),
            password: secret(basic.password.reveal(), basic.password_file.as_ref()),
        };
    }
    let bearer = |token| Credentials::Token { scheme: "Bearer".to_owned(), token };
    // An empty text is not set.
    let token = http.bearer_token.as_ref().filter(|token| !token.reveal().is_empty());
    let file = http.bearer_token_file.as_ref().filter(|file| !file.as_os_str().is_empty());
    match (&http.authorization, token, file) {
        (Some(given), ..) => {
            let token = secret(given.credentials.reveal(), given.credentials_file.as_ref());
            match given.kind.trim() {
                "" => bearer(token),
                kind => Credentials::Token { scheme: kind.to_owned(), token },
            }
        }
        (None, Some(token), _) => bearer(Secret::Text(token.reveal().to_owned())),
        (None, None, Some(file)) => bearer(Secret::File(file.clone())),
        (None, None, None) => Credentials::None,
    }
}

fn secret(text: &str, file: Option<&PathBuf>) -> Secret {
    file.map_or_else(|| Secret::Text(text.to_owned()), |file| Secret::File(file.clone()))
}
