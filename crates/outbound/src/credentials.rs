//! Who we are to a receiver.

use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderValue};

use crate::Error;

/// A text that no output shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The secret itself.
    Text(String),
    /// A file with nothing else but blanks around it. It is read for every request, so that what rotates it need not
    /// tell us.
    File(PathBuf),
}

impl Debug for Secret {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("<secret>"),
            Self::File(path) => write!(f, "<secret of {}>", path.display()),
        }
    }
}

impl Secret {
    /// The text, at once; a file blocks.
    pub(crate) fn read_now(&self) -> Result<String, Error> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                let content = std::fs::read_to_string(path);
                let content = content.map_err(|source| Error::File { path: path.clone(), source })?;
                Ok(content.trim().to_owned())
            }
        }
    }

    /// The text.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub async fn read(&self) -> Result<String, Error> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                let content = tokio::fs::read_to_string(path).await;
                let content = content.map_err(|source| Error::File { path: path.clone(), source })?;
                Ok(content.trim().to_owned())
            }
        }
    }
}

/// What the `Authorization` header of a request holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// No header.
    #[default]
    None,
    /// `Basic`: a user and a password.
    Basic {
        /// The name, which may come from a file as well.
        user: Secret,
        /// The password.
        password: Secret,
    },
    /// A scheme such as `Bearer`, and a token.
    Token {
        /// What stands before the token.
        scheme: String,
        /// The token.
        token: Secret,
    },
}

impl Credentials {
    /// Adds the credentials to a request.
    ///
    /// # Errors
    /// A file that cannot be read; a token that no header can hold.
    pub async fn authorize(&self, request: RequestBuilder) -> Result<RequestBuilder, Error> {
        match self {
            Self::None => Ok(request),
            Self::Basic { user, password } => {
                Ok(request.basic_auth(user.read().await?, Some(password.read().await?)))
            }
            Self::Token { scheme, token } => {
                let value = format!("{scheme} {}", token.read().await?);
                let mut value = HeaderValue::from_str(&value).map_err(|_| Error::Token)?;
                value.set_sensitive(true);
                Ok(request.header(AUTHORIZATION, value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_of;

    #[tokio::test]
    async fn headers() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, " t0ken\n").unwrap();
        let text = |text: &str| Secret::Text(text.to_owned());
        let token = |token| Credentials::Token { scheme: "Bearer".to_owned(), token };
        for (credentials, expected) in [
            (Credentials::None, Ok(None)),
            // base64 of "a:b".
            (Credentials::Basic { user: text("a"), password: text("b") }, Ok(Some("Basic YTpi"))),
            (token(text("x")), Ok(Some("Bearer x"))),
            (token(Secret::File(file)), Ok(Some("Bearer t0ken"))),
            (token(Secret::File(dir.path().join("none"))), Err("none: No such file")),
            (token(text("x\ny")), Err("no header takes")),
        ] {
            let url = "http://localhost/".parse().unwrap();
            let request = client_of(&url).build().unwrap().get(url);
            match (credentials.authorize(request).await, expected) {
                (Ok(request), Ok(expected)) => {
                    let request = request.build().unwrap();
                    let found = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap());
                    assert_eq!(found, expected, "{credentials:?}");
                }
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{credentials:?}: {error}");
                }
                (found, _) => panic!("{credentials:?}: {found:?}"),
            }
        }
    }
}
