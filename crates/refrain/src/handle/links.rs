//! Connect links, as a program handles them.

use crate::{
    connect::{ConnectLink, LinkRecord},
    handle::Refrain,
    id::{AppName, GrantName},
    keeper::{
        Error,
        links::{LinkBegun, NewLink, Returned},
    },
    oauth::authorization::RedirectUri,
    secret::BrowserSecret,
};

impl Refrain {
    /// Makes a link by which a user consents in a browser, once. Its text is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`LinkError`](crate::keeper::links::LinkError), or where the app is not configured.
    pub async fn create_link(&self, new: NewLink) -> Result<(ConnectLink, LinkRecord), Error> {
        self.keeper.create_link(new).await
    }

    /// What a link asks for that waits for its user; it is as good afterwards as before.
    ///
    /// # Errors
    /// [`LinkError`](crate::keeper::links::LinkError) where it is not known, used, too old, or its grant was
    /// signed in or out since.
    pub async fn open_link(&self, link: &ConnectLink) -> Result<LinkRecord, Error> {
        self.keeper.open_link(link).await
    }

    /// Begins the login of a link in a browser, and uses the link up. `port` is the listener's, for a
    /// redirect URI that was registered without one.
    ///
    /// # Errors
    /// As [`open_link`](Self::open_link), also where another browser was faster.
    pub async fn begin_link(
        &self,
        link: &ConnectLink,
        port: Option<u16>,
    ) -> Result<LinkBegun, Error> {
        self.keeper.begin_link(link, port).await
    }

    /// Finishes a login with the query of the callback and what the browser holds; works once. Tells where
    /// the user is to go, also where the login has come to nothing.
    ///
    /// # Errors
    /// Where no login of this browser waits for such an answer. Nothing is used up then.
    pub async fn finish_link(
        &self,
        query: &str,
        browser: &BrowserSecret,
    ) -> Result<Returned, Error> {
        self.keeper.finish_link(query, browser).await
    }

    /// The app that a login under this name is for: its grant's own as long as it is configured, the only
    /// one, or `default`.
    pub async fn app_for(&self, grant: &GrantName) -> Result<AppName, Error> {
        self.keeper.app_for(grant).await
    }

    /// Where the answers to an app's logins come, with a listener at this port.
    ///
    /// # Errors
    /// Where the app is not configured, or Spotify would not take its redirect URI.
    pub fn redirect_uri(&self, app: &AppName, port: Option<u16>) -> Result<RedirectUri, Error> {
        self.keeper.redirect_of(app, port)
    }
}
