//! TLS to AWS: rustls with ring, Mozilla's roots as they were built in, and the bundle that
//! `AWS_CA_BUNDLE` names, for networks that look into TLS.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use signet_protocol::{Code, Refusal};
use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Does the handshake; the certificate must be good for `host`.
pub(super) async fn connect(host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, Refusal> {
    let failed =
        |error: &dyn std::fmt::Display| Refusal::bare(Code::AwsError, format!("{host}: tls: {error}"));
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots()?)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| failed(&error))
}

fn roots() -> Result<RootCertStore, Refusal> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(bundle) = env::var_os("AWS_CA_BUNDLE").filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        return Ok(roots);
    };
    let broken = |error: &dyn std::fmt::Display| {
        Refusal::bare(Code::AwsError, format!("AWS_CA_BUNDLE {}: {error}", bundle.display()))
    };
    let certificates = CertificateDer::pem_file_iter(&bundle).map_err(|error| broken(&error))?;
    for certificate in certificates {
        roots.add(certificate.map_err(|error| broken(&error))?).map_err(|error| broken(&error))?;
    }
    Ok(roots)
}
