//! The section of the server.

use std::path::PathBuf;

use super::{Resolver, invalid};
use crate::config::{
    Server, TlsFiles,
    error::ConfigError,
    expand,
    key::{DEFAULT_LISTEN, Key},
    return_to::ReturnRule,
    server::{HostName, listen, uid},
    sessions::Sessions,
};

impl Resolver<'_> {
    pub(super) fn server(&mut self, sessions: Sessions) -> Result<Server, ConfigError> {
        let key = Key::ServerListen;
        let given = self.take(&key, DEFAULT_LISTEN);
        let listen = listen(&given.text).map_err(|e| invalid(&key, &given.source, e))?;
        let at = given.source.clone();
        self.record(&key, &*given.text, given.source);
        let server = Server {
            listen,
            socket: self.path_or_none(&Key::ServerSocket)?,
            socket_uids: self.list(&Key::ServerSocketUids, uid)?,
            names: self.list(&Key::ServerNames, str::parse::<HostName>)?,
            tls: self.tls()?,
            plain_http: self.value(&Key::ServerPlainHttp, "false", str::parse)?,
            return_to: self.list(&Key::ServerReturnTo, str::parse::<ReturnRule>)?,
            sessions,
            app_dir: self.path_or_none(&Key::ServerAppDir)?,
        };
        match server.listen {
            Some(listen) if !server.is_private_at(listen) => {
                Err(ConfigError::PlainHttp { at, listen })
            }
            _ => Ok(server),
        }
    }

    fn tls(&mut self) -> Result<Option<TlsFiles>, ConfigError> {
        let (of_certificate, of_key) = (Key::ServerTlsCertificateFile, Key::ServerTlsKeyFile);
        let source = |key| self.layer.values.get(key).map(|given| given.source.clone());
        let (certificate_at, key_at) = (source(&of_certificate), source(&of_key));
        let certificate = self.path_or_none(&of_certificate)?;
        let key = self.path_or_none(&of_key)?;
        let incomplete = |at, given: &Key, missing: &Key| ConfigError::Incomplete {
            at,
            given: given.to_string(),
            missing: missing.to_string(),
        };
        match (certificate, key, certificate_at, key_at) {
            (Some(certificate), Some(key), ..) => Ok(Some(TlsFiles { certificate, key })),
            (Some(_), None, Some(at), _) => Err(incomplete(at, &of_certificate, &of_key)),
            (None, Some(_), _, Some(at)) => Err(incomplete(at, &of_key, &of_certificate)),
            _ => Ok(None),
        }
    }

    /// A path, or none where the text is empty.
    fn path_or_none(&mut self, key: &Key) -> Result<Option<PathBuf>, ConfigError> {
        let given = self.take(key, "");
        if given.text.is_empty() {
            self.record(key, "", given.source);
            return Ok(None);
        }
        let path = expand::path(self.sources, key, &given.text, &given.source)?;
        self.record(key, path.display(), given.source);
        Ok(Some(path))
    }

    /// A list whose items are parted by spaces.
    pub(super) fn list<T, E>(
        &mut self,
        key: &Key,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, ConfigError>
    where
        T: ToString,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let given = self.take(key, "");
        let items = given.text.split_ascii_whitespace().map(parse);
        let items: Vec<T> = items
            .collect::<Result<_, E>>()
            .map_err(|error| invalid(key, &given.source, error))?;
        let shown: Vec<_> = items.iter().map(T::to_string).collect();
        self.record(key, shown.join(" "), given.source);
        Ok(items)
    }
}
