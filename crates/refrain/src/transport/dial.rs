//! Dialling: a connection to an origin, with TLS where it asks for it, directly or through the proxy that
//! the configuration names.

use std::{fmt, sync::Arc};

use http::Uri;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::connect::{Connection as _, HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service as _;

use crate::{
    config::{Network, Proxy},
    oauth::origin::Origin,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A connection that stands.
pub type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Which versions of HTTP the other side may choose from; without TLS it is always HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1 alone: one request at a time, and none is sent again by the protocol.
    Http1,
    /// HTTP/2 where the other side has it (RFC 9113 §3.2).
    Http1Or2,
}

/// Makes connections. Reading the system's certificates takes a while, so one is made and kept.
pub struct Dialer {
    tls: Arc<rustls::ClientConfig>,
    proxy: Option<Matcher>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

impl Dialer {
    /// A dialer that leaves this machine as the configuration says.
    ///
    /// # Errors
    /// Where the system's certificates cannot be read.
    pub fn new(network: &Network, versions: Versions) -> Result<Self, BoxError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .try_with_platform_verifier()?
            .with_no_client_auth();
        tls.alpn_protocols = match versions {
            Versions::Http1 => vec![b"http/1.1".to_vec()],
            Versions::Http1Or2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        let proxy = match &network.proxy {
            Proxy::None => None,
            Proxy::Environment => Some(Matcher::from_env()),
            Proxy::Url(url) => Some(Matcher::builder().all(url.expose().as_str()).build()),
        };
        let tls = Arc::new(tls);
        Ok(Self { tls, proxy })
    }

    /// Connects, with TLS where the origin asks for it. Takes as long as it takes: the caller sets the
    /// deadline.
    ///
    /// # Cancel safety
    /// Dropping the future gives the connection up.
    pub async fn dial(&self, origin: &Origin) -> Result<Io, BoxError> {
        let uri: Uri = origin.join("/").parse()?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Plain http is loopback alone, and loopback needs no proxy.
        let proxy = self.proxy.as_ref().filter(|_| origin.is_https());
        match proxy.and_then(|proxy| proxy.intercept(&uri)) {
            None => self.tls(tcp).call(uri).await,
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
                if let Some(credentials) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credentials.clone());
                }
                self.tls(tunnel).call(uri).await
            }
        }
    }

    fn tls<C>(&self, inner: C) -> HttpsConnector<C> {
        HttpsConnector::from((inner, Arc::clone(&self.tls)))
    }
}

/// Whether both sides have agreed on HTTP/2.
pub fn speaks_http2(io: &Io) -> bool {
    io.connected().is_negotiated_h2()
}
