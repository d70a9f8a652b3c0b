//! Who may use the console: logins with a cookie, users whom a proxy names, basic credentials and bearer tokens for
//! programs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::bail;
use argon2::password_hash::phc::PasswordHash;
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::named::Named;
use super::passwords::{NotChecked, Passwords};
use super::sender::Sender;
use super::sessions::{Cookie, Login, Sessions};
use crate::config::{ConsoleConfig, ConsoleUser, Network, Role};
use crate::random::{hex, random_hex};
use crate::store::Store;

/// The header that carries the token of a request that changes something.
pub const TOKEN_HEADER: &str = "x-streamflow-token";
/// What audits call those who need no login.
const ANYONE: &str = "console";
/// What audits call this process.
const ITSELF: &str = "streamflow";

/// Whoever sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// As audits name them.
    pub name: String,
    pub role: Role,
    pub by: By,
}

/// How a caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Nobody has to log in. The token must come with what changes something, here and below.
    Nothing { token: String },
    /// A login with a cookie.
    Session { token: String },
    /// A trusted proxy.
    Proxy { token: String },
    /// A program with a token or a password of its own.
    Credentials,
}

/// Why nobody knows who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unidentified {
    NotChecked(NotChecked),
    /// A proxy names the user in a way that cannot be relied on, or a user without a role.
    NamedWrongly(String),
}

impl From<NotChecked> for Unidentified {
    fn from(reason: NotChecked) -> Self {
        Self::NotChecked(reason)
    }
}

/// A bearer token of programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub role: Role,
}

/// The users, the tokens and who is logged in.
pub struct Auth {
    passwords: Arc<Passwords>,
    /// A digest of each password's hash: a login that is kept elsewhere ends with it.
    proofs: BTreeMap<String, String>,
    roles: BTreeMap<String, Role>,
    tokens: Vec<Token>,
    named: Option<Named>,
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
    pub users: BTreeMap<String, ConsoleUser>,
    /// What programs send as `Authorization: Bearer`.
    pub tokens: Vec<Token>,
}

impl Auth {
    /// Without users, tokens and a proxy that names users everybody may do everything.
    ///
    /// # Errors
    /// A hash that is none of argon2; users whom no proxy may name.
    pub fn new(credentials: Credentials, settings: &ConsoleConfig) -> anyhow::Result<Arc<Self>> {
        settings.check_proxy_login()?;
        let idle_max = Duration::from_secs(60 * settings.session_minutes.get());
        let Credentials { users, tokens } = credentials;
        let hash = |(name, user): (&String, &ConsoleUser)| (name.clone(), user.password.clone());
        Ok(Arc::new(Self {
            passwords: Passwords::new(&users.iter().map(hash).collect())?,
            proofs: users
                .iter()
                .map(|(name, user)| (name.clone(), hex(&Sha256::digest(user.password.as_bytes()))))
                .collect(),
            roles: users.into_iter().map(|(name, user)| (name, user.role)).collect(),
            tokens,
            named: settings.proxy_login.clone().map(Named::new).transpose()?,
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
    /// As [`Auth::new`].
    pub fn of(settings: &ConsoleConfig) -> anyhow::Result<Arc<Self>> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let mut users = settings.users.clone();
        users.extend(users_of(&variable("STREAMFLOW_CONSOLE_USERS"))?);
        Self::new(Credentials { users, tokens: tokens_of(&variable("STREAMFLOW_API_TOKENS")) }, settings)
    }

    /// What this process shows when it scrapes itself.
    pub fn own_token(&self) -> &str {
        &self.anyone_token
    }

    /// True when callers must say who they are.
    pub fn is_required(&self) -> bool {
        !self.passwords.is_empty() || !self.tokens.is_empty() || self.named.is_some()
    }

    /// The proxies whose word about their clients is taken.
    pub fn trusted_proxies(&self) -> &[Network] {
        &self.trusted_proxies
    }

    /// Who sends these headers, as far as that is known without checking a password. A proxy's word counts first: it
    /// passes on what else a client sends.
    ///
    /// # Errors
    /// A proxy's word that cannot be relied on.
    pub fn known(&self, headers: &HeaderMap, sender: &Sender) -> Result<Option<Caller>, Unidentified> {
        if !self.is_required() {
            let by = By::Nothing { token: self.anyone_token.clone() };
            return Ok(Some(Caller { name: ANYONE.to_owned(), role: Role::Admin, by }));
        }
        let named = self.named.as_ref().map_or(Ok(None), |named| named.user(headers, sender));
        if let Some(user) = named.map_err(Unidentified::NamedWrongly)? {
            let by = By::Proxy { token: user.token };
            return Ok(Some(Caller { name: user.name, role: user.role, by }));
        }
        Ok(match credentials(headers) {
            None => {
                let login = self.sessions.login(headers, self.cookie(sender), Instant::now());
                login.map(|Login { user, token }| self.user(user, By::Session { token }))
            }
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.program(token),
            Some((scheme, basic)) if scheme.eq_ignore_ascii_case("basic") => {
                let user = basic_credentials(headers).filter(|_| self.is_known_basic(basic));
                user.map(|(user, _)| self.user(user, By::Credentials))
            }
            Some(_) => None,
        })
    }

    /// Keeps logins in this database from here on.
    pub fn keep_sessions_in(&self, store: Store) {
        self.sessions.keep_in(store);
    }

    /// Looks whether another server knows the login of these headers, before [`Auth::known`] is asked.
    pub async fn recall(&self, headers: &HeaderMap, sender: &Sender) {
        let proof = |user: &str| self.proofs.get(user).cloned();
        self.sessions.recall(headers, self.cookie(sender), Instant::now(), proof).await;
    }

    fn user(&self, name: String, by: By) -> Caller {
        let role = self.roles.get(&name).copied().unwrap_or(Role::Viewer);
        Caller { name, role, by }
    }

    /// Who sends these headers; none when they must log in first. Basic credentials that are not known yet are a login:
    /// their password is checked in its turn.
    ///
    /// # Errors
    /// There are too many logins; a proxy's word that cannot be relied on.
    pub async fn identify(
        &self,
        headers: &HeaderMap,
        sender: &Sender,
    ) -> Result<Option<Caller>, Unidentified> {
        self.recall(headers, sender).await;
        let known = self.known(headers, sender)?;
        let Some((user, password)) = basic_credentials(headers).filter(|_| known.is_none()) else {
            return Ok(known);
        };
        if !self.passwords.check(user.clone(), password, sender.address).await? {
            return Ok(None);
        }
        if let Some((_, basic)) = credentials(headers) {
            self.known_basic.lock().expect("no panic while held").insert(basic.to_owned(), Instant::now());
        }
        Ok(Some(self.user(user, By::Credentials)))
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
        let proof = self.proofs.get(&user).cloned().unwrap_or_default();
        let cookie = match self.sessions.begin(user, self.cookie(sender), Instant::now()) {
            Ok(cookie) => cookie,
            Err(error) => return Ok(Err(error.into())),
        };
        self.sessions.keep(&cookie, &proof).await;
        Ok(Ok(Some(cookie)))
    }

    /// Ends the caller's session and gives the cookie that says so.
    pub async fn log_out(&self, headers: &HeaderMap, sender: &Sender) -> String {
        self.sessions.end_everywhere(headers, self.cookie(sender)).await
    }

    fn cookie(&self, sender: &Sender) -> Cookie<'_> {
        let CookieSettings { path, always_secure } = &self.cookies;
        Cookie { path, is_secure: *always_secure || sender.is_https }
    }

    /// The program that a token belongs to. Audits call it by the place of its token in the list, which gives nothing away.
    fn program(&self, sent: &str) -> Option<Caller> {
        let of_others = self
            .tokens
            .iter()
            .enumerate()
            .map(|(place, token)| (token.text.as_str(), format!("token {}", place + 1), token.role));
        let all = of_others.chain([(self.anyone_token.as_str(), ITSELF.to_owned(), Role::Viewer)]);
        // Every token is compared, so that the time says nothing about which one is like it.
        all.fold(None, |found, (token, name, role)| match token.as_bytes().ct_eq(sent.as_bytes()).into() {
            true => Some(Caller { name, role, by: By::Credentials }),
            false => found,
        })
    }

    fn is_known_basic(&self, credentials: &str) -> bool {
        let mut known = self.known_basic.lock().expect("no panic while held");
        known.retain(|_, since| since.elapsed() < self.idle_max);
        known.contains_key(credentials)
    }
}

impl Caller {
    /// The token that the caller's changing requests must carry; programs need none.
    pub fn token(&self) -> Option<&str> {
        match &self.by {
            By::Nothing { token } | By::Session { token } | By::Proxy { token } => Some(token),
            By::Credentials => None,
        }
    }

    /// True when a request that changes something carries the caller's token.
    pub fn has_sent_token(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = self.token() else { return true };
        let sent = headers.get(TOKEN_HEADER).map_or(&[][..], |value| value.as_bytes());
        expected.as_bytes().ct_eq(sent).into()
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

/// `NAME:HASH NAME:ROLE:HASH …`. A message names the user alone, never the hash.
fn users_of(text: &str) -> anyhow::Result<BTreeMap<String, ConsoleUser>> {
    let user = |pair: &str| {
        let (name, rest) = pair.split_once(':').filter(|(name, _)| !name.is_empty()).unwrap_or(("", pair));
        let (role, hash) = Role::split(rest);
        if name.is_empty() || PasswordHash::new(hash).is_err() {
            bail!(
                "STREAMFLOW_CONSOLE_USERS has no argon2 hash for user {name:?}; expected NAME:HASH or NAME:ROLE:HASH, \
                 separated by blanks, with hashes of `streamflow hash-password` and the roles viewer, operator and admin"
            );
        }
        let user = ConsoleUser { password: hash.to_owned(), role: role.unwrap_or_default() };
        Ok((name.to_owned(), user))
    };
    text.split_whitespace().map(user).collect()
}

/// The bearer tokens of programs: `TOKEN,ROLE:TOKEN,…`.
fn tokens_of(text: &str) -> Vec<Token> {
    let token = |text: &str| {
        let (role, token) = Role::split(text);
        Token { text: token.to_owned(), role: role.unwrap_or_default() }
    };
    text.split(',').map(str::trim).map(token).filter(|token| !token.text.is_empty()).collect()
}

/// True for a method that promises to change nothing.
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The sender of the tests: this machine, unencrypted.
#[cfg(test)]
pub fn local_sender() -> Sender {
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    Sender { address, hosts: vec!["localhost:9090".to_owned()], is_https: false, proxy: None }
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
        let password = hash_password("correct horse").unwrap();
        let users = [("ada".to_owned(), ConsoleUser { password, role: Role::Operator })].into();
        let tokens = tokens_of("t0ken, viewer:r3ader");
        Auth::new(Credentials { users, tokens }, &ConsoleConfig::default()).unwrap()
    }

    #[test]
    fn without_users_everybody_may_but_changes_need_the_token() {
        let auth = Auth::new(Credentials::default(), &ConsoleConfig::default()).unwrap();
        let caller = auth.known(&HeaderMap::new(), &local_sender()).unwrap().unwrap();
        assert_eq!(caller.role, Role::Admin);
        assert!(!caller.has_sent_token(&HeaderMap::new()));
        let token = caller.token().unwrap();
        assert!(caller.has_sent_token(&headers(&[(TOKEN_HEADER, token)])));
        assert!(!caller.has_sent_token(&headers(&[(TOKEN_HEADER, &token[1..])])));
    }

    #[tokio::test]
    async fn a_login_gives_a_session_until_it_is_ended() {
        let auth = auth();
        let sender = local_sender();
        let log_in = async |user: &str, password: &str| {
            auth.log_in(user.to_owned(), password.to_owned(), &sender).await.unwrap().unwrap()
        };
        assert_eq!(auth.known(&HeaderMap::new(), &sender), Ok(None));
        assert_eq!(log_in("ada", "wrong").await, None);
        assert_eq!(log_in("bob", "correct horse").await, None);
        let cookie = log_in("ada", "correct horse").await.unwrap();
        let sent = headers(&[("cookie", cookie.split(';').next().unwrap())]);
        let caller = auth.known(&sent, &sender).unwrap().unwrap();
        assert_eq!((caller.name.as_str(), caller.role), ("ada", Role::Operator));
        assert!(matches!(caller.by, By::Session { .. }), "{caller:?}");
        auth.log_out(&sent, &sender).await;
        assert_eq!(auth.known(&sent, &sender), Ok(None));
    }

    #[test]
    fn users_of_the_environment_are_names_and_hashes() {
        let hash = hash_password("correct horse").unwrap();
        let users = users_of(&format!("ada:{hash}\n bob:viewer:{hash}")).unwrap();
        let roles: Vec<_> = users.iter().map(|(name, user)| (name.as_str(), user.role)).collect();
        assert_eq!(roles, [("ada", Role::Admin), ("bob", Role::Viewer)]);
        assert!(users_of("").unwrap().is_empty());
        for bad in ["ada:secret", "secret", ":secret", "ada:guest:secret"] {
            let error = users_of(bad).unwrap_err().to_string();
            assert!(error.contains("expected NAME:HASH") && !error.contains("secret"), "{error}");
        }
    }

    #[tokio::test]
    async fn programs_send_tokens_or_passwords() {
        let auth = auth();
        let own = format!("Bearer {}", auth.own_token());
        for (value, known, identified) in [
            ("Bearer t0ken", Some(("token 1", Role::Admin)), Some(("token 1", Role::Admin))),
            ("bearer r3ader", Some(("token 2", Role::Viewer)), Some(("token 2", Role::Viewer))),
            ("Bearer viewer:r3ader", None, None),
            ("Bearer t0ken2", None, None),
            (&own, Some(("streamflow", Role::Viewer)), Some(("streamflow", Role::Viewer))),
            // ada:correct horse, which is known from its first check on
            ("Basic YWRhOmNvcnJlY3QgaG9yc2U=", None, Some(("ada", Role::Operator))),
            ("Basic YWRhOmNvcnJlY3QgaG9yc2U=", Some(("ada", Role::Operator)), Some(("ada", Role::Operator))),
            ("Basic YWRhOndyb25n", None, None),
            ("Basic ???", None, None),
            ("Basic", None, None),
            ("Negotiate x", None, None),
        ] {
            let (sent, sender) = (headers(&[("authorization", value)]), local_sender());
            let program = |is: Option<(&str, Role)>| {
                is.map(|(name, role)| Caller { name: name.to_owned(), role, by: By::Credentials })
            };
            assert_eq!(auth.known(&sent, &sender), Ok(program(known)), "{value}");
            assert_eq!(auth.identify(&sent, &sender).await, Ok(program(identified)), "{value}");
        }
    }

    #[tokio::test]
    async fn a_proxy_s_word_counts_before_what_it_passes_on() {
        let settings = ConsoleConfig {
            trusted_proxies: vec!["10.0.0.1".parse().unwrap()],
            proxy_login: Some(toml::from_str("viewer = [\"*\"]").unwrap()),
            ..ConsoleConfig::default()
        };
        let credentials = Credentials { tokens: tokens_of("t0ken"), ..Credentials::default() };
        let auth = Auth::new(credentials, &settings).unwrap();
        assert!(Auth::new(Credentials::default(), &settings).unwrap().is_required());
        let proxied = Sender { proxy: Some([10, 0, 0, 1].into()), ..local_sender() };
        let (named, token) = (("x-forwarded-user", "eve"), ("authorization", "Bearer t0ken"));
        for (sender, sent, expected) in [
            (&proxied, &[named, token][..], Some(("eve", Role::Viewer))),
            (&proxied, &[token], Some(("token 1", Role::Admin))),
            (&proxied, &[], None),
            (&local_sender(), &[named, token], Some(("token 1", Role::Admin))),
            (&local_sender(), &[named], None),
        ] {
            let caller = auth.identify(&headers(sent), sender).await.unwrap();
            let found = caller.as_ref().map(|caller| (caller.name.as_str(), caller.role));
            assert_eq!(found, expected, "{sent:?}");
        }
        let untrusting = ConsoleConfig { trusted_proxies: Vec::new(), ..settings };
        let error = Auth::new(Credentials::default(), &untrusting).err().unwrap().to_string();
        assert!(error.contains("needs console.trusted_proxies"), "{error}");
    }
}
