//! Certificates for a server on 127.0.0.1, made by `openssl`, which the server's package brings along.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{folder, give_away};

/// An authority, and what it has signed for a server.
#[derive(Debug)]
pub struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// Signs for a name as certificates spell it: `IP:127.0.0.1`, `DNS:example.org`.
    pub fn for_name(name: &str) -> Self {
        let made = Self {
            folder: folder("refrain-tls"),
        };
        let authority = [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2",
            "-subj /CN=authority -keyout ca.key -out ca.crt",
        ];
        made.openssl(&authority.join(" "));
        let request = [
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes",
            "-subj /CN=server -keyout server.key -out server.csr",
        ];
        made.openssl(&request.join(" "));
        fs::write(made.path("names"), format!("subjectAltName={name}\n")).unwrap();
        made.openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
             -extfile names -out server.crt",
        );
        give_away(&made.path("server.key"));
        made
    }

    /// The certificate of whoever has signed.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.crt")
    }

    /// What the server needs in its configuration.
    pub fn settings(&self) -> [String; 3] {
        let file = |name| self.path(name).display().to_string();
        [
            "ssl = on".to_owned(),
            format!("ssl_cert_file = '{}'", file("server.crt")),
            format!("ssl_key_file = '{}'", file("server.key")),
        ]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let folder: &Path = self.folder.path();
        let mut command = Command::new("openssl");
        command
            .args(arguments.split_ascii_whitespace())
            .current_dir(folder);
        let output = command.output().unwrap_or_else(|error| {
            panic!("the tests need `openssl`, which comes with `postgresql`: {error}")
        });
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
    }
}
