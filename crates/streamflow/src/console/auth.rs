//! Who may use the console: logins with a cookie, basic credentials and bearer tokens for programs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::bail;
use argon2::password_hash::phc::PasswordHash;
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq as _;

use super::passwords::{NotChecked, Passwords};
use super::sender::Sender;
use super::sessions::{Cookie, Login, Sessions};
use crate::config::{ConsoleConfig, Network};
use crate::random::random_hex;

/// The header that carries the token of a request that changes something.
pub const TOKEN_HEADER: &str = "x-streamflow-token";

/// Whoever sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody has to log in.
    Anyone,
    /// A user with a login; its token must come with what changes something.
    Session(Login),
    /// A program with a token or a password of its own.
    Program,
}

/// The users, the tokens and who is logged in.
pub struct Auth {
    passwords: Arc<Passwords>,
    tokens: Vec<String>,
    /// The token of those who need no login, and of this process when others do.
    anyone_token: String,
    sessions: Sessions,
    /// Basic credentials that were right, since a check takes tens of milliseconds by design.
    known_basic: Mutex<HashMap<String, Instant>>,
    idle_max: Duration,
    cookies: CookieSettings,
    trusted_proxies: Vec<Network>,
}

/// How browsers keep the cookies of logins.
#[derive(Debug, Clone, Default)]
pub struct CookieSettings {
    /// Path of the console, with a slash at its end.
    pub path: String,
    /// Whether every cookie is for encrypted connections alone, also where nothing tells that this one is.
    pub always_secure: bool,
}

/// What a console is told of its users.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Names and argon2 hashes.
    pub users: BTreeMap<String, String>,
    /// What programs send as `Authorization: Bearer`.
    pub tokens: Vec<String>,
}

impl Auth {
    /// Without users and tokens everybody may do everything.
    ///
    /// # Errors
    /// A hash that is none of argon2.
    pub fn new(credentials: Credentials, settings: &ConsoleConfig) -> anyhow::Result<Arc<Self>> {
        let idle_max = Duration::from_secs(60 * settings.session_minutes.get());
        Ok(Arc::new(Self {
            passwords: Passwords::new(&credentials.users)?,
            tokens: credentials.tokens,
            anyone_token: random_hex::<24>()?,
            sessions: Sessions::new(idle_max),
            known_basic: Mutex::default(),
            idle_max,
            cookies: CookieSettings {
                path: format!("{}/", settings.path_prefix),
                always_secure: settings.secure_cookies,
            },
            trusted_proxies: settings.trusted_proxies.clone(),
        }))
    }

    /// The users and tokens of the configuration, with what the environment adds: users in `STREAMFLOW_CONSOLE_USERS`, tokens in
    /// `STREAMFLOW_API_TOKENS`.
    ///
    /// # Errors
    /// A hash that is none of argon2.
    pub fn of(settings: &ConsoleConfig) -> anyhow::Result<Arc<Self>> {
        let mut users = settings.users.clone();
        users.extend(users_of(&std::env::var("STREAMFLOW_CONSOLE_USERS").unwrap_or_default())?);
        Self::new(Credentials { users, tokens: tokens_from_environment() }, settings)
    }

    /// What this process shows when it scrapes itself.
    pub fn own_token(&self) -> &str {
        &self.anyone_token
    }

    /// True when callers must say who they are.
    pub fn is_required(&self) -> bool {
        !self.passwords.is_empty() || !self.tokens.is_empty()
    }

    /// The proxies whose word about their clients is taken.
    pub fn trusted_proxies(&self) -> &[Network] {
        &self.trusted_proxies
    }

    /// Who sends these headers, as far as that is known without checking a password.
    pub fn known(&self, headers: &HeaderMap, sender: &Sender) -> Option<Caller> {
        if !self.is_required() {
            return Some(Caller::Anyone);
        }
        match credentials(headers) {
            None => self.sessions.login(headers, self.cookie(sender), Instant::now()).map(Caller::Session),
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                self.is_token(token).then_some(Caller::Program)
            }
            Some((scheme, basic)) if scheme.eq_ignore_ascii_case("basic") => {
                self.is_known_basic(basic).then_some(Caller::Program)
            }
            Some(_) => None,
        }
    }

    /// Who sends these headers; none when they must log in first. Basic credentials that are not known yet are a login:
    /// their password is checked in its turn.
    ///
    /// # Errors
    /// There are too many logins.
    pub async fn identify(&self, headers: &HeaderMap, sender: &Sender) -> Result<Option<Caller>, NotChecked> {
        let known = self.known(headers, sender);
        let Some((user, password)) = basic_credentials(headers).filter(|_| known.is_none()) else {
            return Ok(known);
        };
        if !self.passwords.check(user, password, sender.address).await? {
            return Ok(None);
        }
        if let Some((_, basic)) = credentials(headers) {
            self.known_basic.lock().expect("no panic while held").insert(basic.to_owned(), Instant::now());
        }
        Ok(Some(Caller::Program))
    }

    /// Starts a session and gives its cookie, or nothing when user and password do not fit.
    ///
    /// # Errors
    /// There are too many logins.
    pub async fn log_in(
        &self,
        user: String,
        password: String,
        sender: &Sender,
    ) -> Result<anyhow::Result<Option<String>>, NotChecked> {
        if !self.passwords.check(user.clone(), password, sender.address).await? {
            return Ok(Ok(None));
        }
        let cookie = self.sessions.begin(user, self.cookie(sender), Instant::now());
        Ok(cookie.map(Some).map_err(anyhow::Error::from))
    }

    /// Ends the caller's session and gives the cookie that says so.
    pub fn log_out(&self, headers: &HeaderMap, sender: &Sender) -> String {
        self.sessions.end(headers, self.cookie(sender))
    }

    /// The token that the caller's changing requests must carry; programs need none.
    pub fn token(&self, caller: &Caller) -> Option<String> {
        match caller {
            Caller::Anyone => Some(self.anyone_token.clone()),
            Caller::Session(login) => Some(login.token.clone()),
            Caller::Program => None,
        }
    }

    /// True when a request that changes something may do so: it carries the caller's token.
    pub fn may_change(&self, caller: &Caller, headers: &HeaderMap) -> bool {
        let Some(expected) = self.token(caller) else { return true };
        let sent = headers.get(TOKEN_HEADER).map_or(&[][..], |value| value.as_bytes());
        expected.as_bytes().ct_eq(sent).into()
    }

    fn cookie(&self, sender: &Sender) -> Cookie<'_> {
        let CookieSettings { path, always_secure } = &self.cookies;
        Cookie { path, is_secure: *always_secure || sender.is_https }
    }

    fn is_token(&self, sent: &str) -> bool {
        // Every token is compared, so that the time says nothing about which one is like it.
        let tokens = self.tokens.iter().chain([&self.anyone_token]);
        tokens.fold(false, |found, token| found | bool::from(token.as_bytes().ct_eq(sent.as_bytes())))
    }

    fn is_known_basic(&self, credentials: &str) -> bool {
        let mut known = self.known_basic.lock().expect("no panic while held");
        known.retain(|_, since| since.elapsed() < self.idle_max);
        known.contains_key(credentials)
    }
}

/// Scheme and credentials of `Authorization`.
fn credentials(headers: &HeaderMap) -> Option<(&str, &str)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    Some((scheme, credentials.trim()))
}

/// User and password of basic credentials.
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (_, encoded) = credentials(headers).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))?;
    let decoded = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// `NAME:HASH NAME:HASH …`. A message names the user alone, never the hash.
fn users_of(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let user = |pair: &str| {
        let (name, hash) = pair.split_once(':').filter(|(name, _)| !name.is_empty()).unwrap_or(("", pair));
        if name.is_empty() || PasswordHash::new(hash).is_err() {
            bail!(
                "STREAMFLOW_CONSOLE_USERS has no argon2 hash for user {name:?}; expected NAME:HASH, separated by \
                 blanks, with hashes of `streamflow hash-password`"
            );
        }
        Ok((name.to_owned(), hash.to_owned()))
    };
    text.split_whitespace().map(user).collect()
}

/// The bearer tokens of programs, separated by commas in `STREAMFLOW_API_TOKENS`.
fn tokens_from_environment() -> Vec<String> {
    let text = std::env::var("STREAMFLOW_API_TOKENS").unwrap_or_default();
    text.split(',').map(str::trim).filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

/// True for a method that promises to change nothing.
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The sender of the tests: this machine, unencrypted.
#[cfg(test)]
pub fn local_sender() -> Sender {
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    Sender { address, hosts: vec!["localhost:9090".to_owned()], is_https: false }
}

#[cfg(test)]
mod tests {
    use super::super::passwords::hash_password;
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn auth() -> Arc<Auth> {
        let users = [("ada".to_owned(), hash_password("correct horse").unwrap())].into();
        let credentials = Credentials { users, tokens: vec!["t0ken".into()] };
        Auth::new(credentials, &ConsoleConfig::default()).unwrap()
    }

    #[test]
    fn without_users_everybody_may_but_changes_need_the_token() {
        let auth = Auth::new(Credentials::default(), &ConsoleConfig::default()).unwrap();
        let caller = auth.known(&HeaderMap::new(), &local_sender()).unwrap();
        assert_eq!(caller, Caller::Anyone);
        assert!(!auth.may_change(&caller, &HeaderMap::new()));
        let token = auth.token(&caller).unwrap();
        assert!(auth.may_change(&caller, &headers(&[(TOKEN_HEADER, &token)])));
        assert!(!auth.may_change(&caller, &headers(&[(TOKEN_HEADER, &token[1..])])));
    }

    #[tokio::test]
    async fn a_login_gives_a_session_until_it_is_ended() {
        let auth = auth();
        let sender = local_sender();
        let log_in = async |user: &str, password: &str| {
            auth.log_in(user.to_owned(), password.to_owned(), &sender).await.unwrap().unwrap()
        };
        assert_eq!(auth.known(&HeaderMap::new(), &sender), None);
        assert_eq!(log_in("ada", "wrong").await, None);
        assert_eq!(log_in("bob", "correct horse").await, None);
        let cookie = log_in("ada", "correct horse").await.unwrap();
        let sent = headers(&[("cookie", cookie.split(';').next().unwrap())]);
        let caller = auth.known(&sent, &sender).unwrap();
        assert!(matches!(&caller, Caller::Session(login) if login.user == "ada"), "{caller:?}");
        auth.log_out(&sent, &sender);
        assert_eq!(auth.known(&sent, &sender), None);
    }

    #[test]
    fn users_of_the_environment_are_names_and_hashes() {
        let hash = hash_password("correct horse").unwrap();
        let users = users_of(&format!("ada:{hash}\n bob:{hash}")).unwrap();
        assert_eq!(users.keys().collect::<Vec<_>>(), ["ada", "bob"]);
        assert!(users_of("").unwrap().is_empty());
        for bad in ["ada:secret", "secret", ":secret"] {
            let error = users_of(bad).unwrap_err().to_string();
            assert!(error.contains("expected NAME:HASH") && !error.contains("secret"), "{error}");
        }
    }

    #[tokio::test]
    async fn programs_send_tokens_or_passwords() {
        let auth = auth();
        for (value, known, identified) in [
            ("Bearer t0ken", true, true),
            ("bearer t0ken", true, true),
            ("Bearer t0ken2", false, false),
            // ada:correct horse, which is known from its first check on
            ("Basic YWRhOmNvcnJlY3QgaG9yc2U=", false, true),
            ("Basic YWRhOmNvcnJlY3QgaG9yc2U=", true, true),
            ("Basic YWRhOndyb25n", false, false),
            ("Basic ???", false, false),
            ("Basic", false, false),
            ("Negotiate x", false, false),
        ] {
            let (sent, sender) = (headers(&[("authorization", value)]), local_sender());
            let program = |is: bool| is.then_some(Caller::Program);
            assert_eq!(auth.known(&sent, &sender), program(known), "{value}");
            assert_eq!(auth.identify(&sent, &sender).await, Ok(program(identified)), "{value}");
        }
    }
}
