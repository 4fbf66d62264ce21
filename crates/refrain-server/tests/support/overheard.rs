//! A transport that notes every token that comes over it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use refrain::oauth::{
    origin::Origin,
    transport::{Answer, ConnectError, Connection, Request, SendError, Transport},
};
use serde_json::Value;

#[derive(Debug, Clone, Default)]
pub struct Overheard {
    tokens: Arc<Mutex<Vec<String>>>,
    longer: bool,
}

impl Overheard {
    /// So long that no cookie holds them.
    pub fn making_refresh_tokens_longer() -> Self {
        Self {
            longer: true,
            ..Self::default()
        }
    }

    pub fn over(&self, inner: Arc<dyn Transport>) -> Arc<dyn Transport> {
        let heard = self.clone();
        Arc::new(Over { inner, heard })
    }

    pub fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().clone()
    }
}

#[derive(Debug)]
struct Over {
    inner: Arc<dyn Transport>,
    heard: Overheard,
}

#[async_trait]
impl Transport for Over {
    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Connection>, ConnectError> {
        let inner = self.inner.connect(origin).await?;
        let heard = self.heard.clone();
        Ok(Box::new(OneCall { inner, heard }))
    }
}

struct OneCall {
    inner: Box<dyn Connection>,
    heard: Overheard,
}

#[async_trait]
impl Connection for OneCall {
    async fn send(self: Box<Self>, request: Request) -> Result<Answer, SendError> {
        let mut answer = self.inner.send(request).await?;
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if self.heard.longer && body["refresh_token"].is_string() {
            body["refresh_token"] = "r".repeat(4000).into();
            *answer.body = body.to_string().into_bytes();
        }
        let tokens = ["access_token", "refresh_token"];
        let tokens = tokens.iter().filter_map(|name| body[name].as_str());
        let tokens = tokens.map(str::to_owned);
        self.heard.tokens.lock().unwrap().extend(tokens);
        Ok(answer)
    }
}
