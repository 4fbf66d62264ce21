//! A page of somebody else's.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A server that has the same page at every path.
pub struct Foreign {
    port: u16,
}

impl Foreign {
    pub async fn with(body: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut head = [0; 4096];
                connection
                    .read(&mut head)
                    .await
                    .map(drop)
                    .unwrap_or_default();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: \
                     close\r\n\r\n{body}"
                );
                connection
                    .write_all(answer.as_bytes())
                    .await
                    .unwrap_or_default();
            }
        });
        Self { port }
    }

    /// Another origin, and of another site too: browsers keep cookies from it.
    pub fn of_another_site(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// Another origin of the same site, a port away: cookies come with what it has a browser send.
    pub fn a_port_away(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}
