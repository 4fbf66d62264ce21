//! TLS: a certificate that may be renewed while the server runs.

use std::{
    fmt,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use refrain::config::TlsFiles;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use crate::{body::BoxError, server::StartError};

/// The certificate in use.
pub(crate) struct Certificates {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: TlsFiles,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.files.certificate.display())
    }
}

/// What is shown to clients, and when its files were written.
#[derive(Debug)]
struct Current(RwLock<(Arc<CertifiedKey>, Written)>);

type Written = (Option<SystemTime>, Option<SystemTime>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current.0))
    }
}

impl Certificates {
    /// Reads certificate and key.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, StartError> {
        let failed = |source| StartError::Certificate {
            path: files.certificate.clone(),
            source,
        };
        let shown = load(files).map_err(failed)?;
        let current = Arc::new(Current(RwLock::new((shown, written(files)))));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.into()))?;
        let resolver = Arc::clone(&current) as Arc<dyn ResolvesServerCert>;
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            current,
            files: files.clone(),
        })
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Takes a certificate over that was renewed; what cannot be read leaves the old one in use.
    pub(crate) fn renew(&self) {
        let now = written(&self.files);
        let before = self
            .current
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .1;
        if now == before {
            return;
        }
        match load(&self.files) {
            Ok(shown) => {
                let mut current = self
                    .current
                    .0
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *current = (shown, now);
                tracing::info!(path = %self.files.certificate.display(), "a renewed certificate is in use");
            }
            Err(error) => {
                tracing::warn!(%error, path = %self.files.certificate.display(), "the renewed certificate cannot be used: the old one stays");
            }
        }
    }
}

fn written(files: &TlsFiles) -> Written {
    let of = |path: &Path| std::fs::metadata(path).and_then(|it| it.modified()).ok();
    (of(&files.certificate), of(&files.key))
}

fn load(files: &TlsFiles) -> Result<Arc<CertifiedKey>, BoxError> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(&files.certificate)?.collect::<Result<_, _>>()?;
    if chain.is_empty() {
        return Err("there is no certificate in the file".into());
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)?;
    let key = aws_lc_rs::sign::any_supported_type(&key)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match()?;
    Ok(Arc::new(certified))
}
