//! Signatures as [Standard Webhooks](https://www.standardwebhooks.com) has them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{notice::MessageId, secret::WebhookSecret};

/// The header that names the message.
pub const ID: &str = "webhook-id";
/// The header with the second in which it was sent.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// The value of [`SIGNATURE`]: one signature for each secret, so that a receiver may know any of them while
/// they are being replaced.
pub fn signatures(secrets: &[WebhookSecret], id: &MessageId, seconds: i64, body: &str) -> String {
    let signed = secrets
        .iter()
        .map(|secret| signature(secret, id, seconds, body));
    signed.collect::<Vec<_>>().join(" ")
}

fn signature(secret: &WebhookSecret, id: &MessageId, seconds: i64, body: &str) -> String {
    // HMAC takes keys of any length, so this cannot fail; no receiver accepts what is empty.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose()) else {
        return String::new();
    };
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
