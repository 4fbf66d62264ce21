//! A browser, as far as a login needs one: it keeps cookies, says where it comes from, and remembers all
//! that it was answered.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use reqwest::{Client, Method, RequestBuilder, StatusCode};

use crate::world::client;

#[derive(Debug, Clone)]
pub struct Seen {
    pub status: StatusCode,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map_or("", |(_, value)| value);
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    pub fn location(&self) -> String {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{self:?}");
        self.header("location").to_owned()
    }

    /// The code of what refrain says that is wrong.
    pub fn code(&self) -> &str {
        self.header("refrain-error")
    }
}

pub struct Browser {
    client: Client,
    cookies: Mutex<BTreeMap<String, String>>,
    seen: Mutex<Vec<Seen>>,
}

impl Browser {
    pub fn new() -> Self {
        Self {
            client: client(),
            cookies: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Follows a link from a page of somebody else's.
    pub async fn visit(&self, url: &str) -> Seen {
        let request = self.request(Method::GET, url);
        let request = request
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document");
        self.send(request).await
    }

    /// Presses the button of a page, which says nothing of its own address.
    pub async fn press(&self, url: &str) -> Seen {
        let request = self.request(Method::POST, url);
        let request = request
            .header("origin", "null")
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body("")).await
    }

    /// Opens a link, goes on to Spotify, and tells where that is.
    pub async fn begin(&self, url: &str) -> String {
        let page = self.visit(url).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        self.press(url).await.location()
    }

    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<_> = cookies
            .iter()
            .map(|(name, it)| format!("{name}={it}"))
            .collect();
        let request = self.client.request(method, url);
        if pairs.is_empty() {
            return request;
        }
        request.header("cookie", pairs.join("; "))
    }

    pub async fn send(&self, request: RequestBuilder) -> Seen {
        let answer = request.send().await.unwrap();
        let headers = answer.headers().iter();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
        let seen = Seen {
            status: answer.status(),
            headers: headers.collect(),
            body: answer.text().await.unwrap(),
        };
        for (_, cookie) in seen.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        self.seen.lock().unwrap().push(seen.clone());
        seen
    }

    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().unwrap().clone()
    }

    /// Puts a cookie there that nobody has set.
    pub fn plant(&self, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().unwrap();
        cookies.insert(name.to_owned(), value.to_owned());
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}
