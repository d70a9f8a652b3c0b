//! Who may use the console: logins with a cookie, basic credentials and bearer tokens for programs, and a guard that
//! keeps other sites' pages from changing anything.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::bail;
use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use crate::config::ConsoleConfig;

/// The header that carries the token of a request that changes something.
pub const TOKEN_HEADER: &str = "x-streamflow-token";

const COOKIE: &str = "streamflow_session";

/// Logins remembered at once; the one idle longest goes first.
const SESSIONS_MAX: usize = 1024;

/// Whoever sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody has to log in.
    Anyone,
    /// A user with a login; `token` must come with what changes something.
    Session { user: String, token: String },
    /// A program with a token or a password of its own.
    Program,
}

/// The users, the tokens and who is logged in.
pub struct Auth {
    users: BTreeMap<String, String>,
    tokens: Vec<String>,
    idle_max: Duration,
    /// The token of those who need no login, and of this process when others do.
    anyone_token: String,
    sessions: Mutex<HashMap<String, Session>>,
    /// Basic credentials that were right, since a check takes tens of milliseconds by design.
    known_basic: Mutex<HashMap<String, Instant>>,
    /// Passwords being checked, and those that are or wait to be.
    checking: Semaphore,
    waiting: Semaphore,
}

/// Passwords checked at once. Each takes 19 MiB and a processor.
const CHECKS: usize = 2;
/// Checks that wait for their turn; one more is refused.
const CHECKS_WAITING: usize = 32;
/// How long a check that failed keeps its place, so that guessing leaves the processors to others.
const AFTER_FAILURE: Duration = Duration::from_millis(150);

/// Why a password was not checked.
#[derive(Debug)]
pub enum Unchecked {
    /// Too many passwords wait for it.
    Busy,
    /// The check ended in a panic, which is a bug.
    Failed(JoinError),
}

struct Session {
    user: String,
    token: String,
    began: Instant,
    used: Instant,
}

/// A login ends after so long, however much it is used.
const SESSION_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

impl Session {
    fn lasts(&self, idle_max: Duration) -> bool {
        self.used.elapsed() < idle_max && self.began.elapsed() < SESSION_AGE_MAX
    }
}

impl Auth {
    /// `users` are names and argon2 hashes, `tokens` what programs send as `Authorization: Bearer`. Without either,
    /// everybody may do everything.
    pub fn new(
        users: BTreeMap<String, String>,
        tokens: Vec<String>,
        idle_max: Duration,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            users,
            tokens,
            idle_max,
            anyone_token: random_token()?,
            sessions: Mutex::default(),
            known_basic: Mutex::default(),
            checking: Semaphore::new(CHECKS),
            waiting: Semaphore::new(CHECKS + CHECKS_WAITING),
        })
    }

    /// The users and tokens of the configuration, with what the environment adds: users in `STREAMFLOW_CONSOLE_USERS`, tokens in
    /// `STREAMFLOW_API_TOKENS`.
    pub fn of(settings: &ConsoleConfig) -> anyhow::Result<Arc<Self>> {
        let idle_max = Duration::from_secs(60 * settings.session_minutes.get());
        let mut users = settings.users.clone();
        users.extend(users_of(&std::env::var("STREAMFLOW_CONSOLE_USERS").unwrap_or_default())?);
        Ok(Arc::new(Self::new(users, tokens_from_environment(), idle_max)?))
    }

    /// What this process shows when it scrapes itself; none where nobody has to show anything.
    pub fn internal_token(&self) -> Option<&str> {
        self.is_required().then_some(self.anyone_token.as_str())
    }

    /// True when callers must say who they are.
    pub fn is_required(&self) -> bool {
        !self.users.is_empty() || !self.tokens.is_empty()
    }

    /// Who sends these headers; none when they must log in first.
    pub fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        if !self.is_required() {
            return Some(Caller::Anyone);
        }
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some((scheme, credentials)) = authorization.and_then(|value| value.split_once(' ')) {
            let known = match scheme.to_ascii_lowercase().as_str() {
                "bearer" => self.is_token(credentials.trim()),
                "basic" => self.is_basic(credentials.trim()),
                _ => false,
            };
            return known.then_some(Caller::Program);
        }
        self.session(cookie(headers)?)
    }

    /// The same for a request being served: a password is checked in its turn, off the threads that serve others.
    ///
    /// # Errors
    /// When the password could not be checked.
    pub async fn identify(self: &Arc<Self>, headers: &HeaderMap) -> Result<Option<Caller>, Unchecked> {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let basic = value.and_then(|value| value.split_once(' '));
        let basic = basic.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic") && self.is_required());
        let Some((_, credentials)) = basic else { return Ok(self.caller(headers)) };
        if self.is_known_basic(credentials.trim()) {
            return Ok(Some(Caller::Program));
        }
        let (auth, headers) = (self.clone(), headers.clone());
        self.in_turn(move || auth.caller(&headers), Option::is_some).await
    }

    /// The same as [`Auth::log_in`], in its turn.
    ///
    /// # Errors
    /// When the password could not be checked.
    pub async fn log_in_in_turn(
        self: &Arc<Self>,
        user: String,
        password: String,
        cookie_path: String,
    ) -> Result<anyhow::Result<Option<String>>, Unchecked> {
        let auth = self.clone();
        let work = move || auth.log_in(&user, &password, &cookie_path);
        self.in_turn(work, |cookie| matches!(cookie, Ok(Some(_)))).await
    }

    /// Does what checks a password when it is its turn; `is_right` tells whether the password was.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        is_right: impl FnOnce(&T) -> bool,
    ) -> Result<T, Unchecked> {
        let _place = self.waiting.try_acquire().map_err(|_| Unchecked::Busy)?;
        let _turn = self.checking.acquire().await.map_err(|_| Unchecked::Busy)?;
        let result = tokio::task::spawn_blocking(work).await.map_err(Unchecked::Failed)?;
        if !is_right(&result) {
            tracing::warn!("a login to the console was refused: user and password do not fit");
            tokio::time::sleep(AFTER_FAILURE).await;
        }
        Ok(result)
    }

    /// The token that the caller's changing requests must carry; programs need none.
    pub fn token(&self, caller: &Caller) -> Option<String> {
        match caller {
            Caller::Anyone => Some(self.anyone_token.clone()),
            Caller::Session { token, .. } => Some(token.clone()),
            Caller::Program => None,
        }
    }

    /// True when a request that changes something may do so: it carries the caller's token.
    pub fn may_change(&self, caller: &Caller, headers: &HeaderMap) -> bool {
        let Some(expected) = self.token(caller) else { return true };
        let sent = headers.get(TOKEN_HEADER).map_or(&[][..], |value| value.as_bytes());
        expected.as_bytes().ct_eq(sent).into()
    }

    /// Starts a session and gives its cookie, or nothing when user and password do not fit. Takes tens of
    /// milliseconds, also for a user there is not.
    pub fn log_in(&self, user: &str, password: &str, cookie_path: &str) -> anyhow::Result<Option<String>> {
        if !self.is_password(user, password) {
            return Ok(None);
        }
        let id = random_token()?;
        let now = Instant::now();
        let session = Session { user: user.to_owned(), token: random_token()?, began: now, used: now };
        let mut sessions = self.sessions.lock().expect("no panic while held");
        sessions.retain(|_, session| session.lasts(self.idle_max));
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone());
            oldest.and_then(|id| sessions.remove(&id));
        }
        sessions.insert(id.clone(), session);
        // No Max-Age: requests prolong a session, and a browser would not hear of it.
        Ok(Some(format!("{COOKIE}={id}; Path={cookie_path}; HttpOnly; SameSite=Strict")))
    }

    /// Ends the caller's session and gives the cookie that says so.
    pub fn log_out(&self, headers: &HeaderMap, cookie_path: &str) -> String {
        if let Some(id) = cookie(headers) {
            self.sessions.lock().expect("no panic while held").remove(id);
        }
        format!("{COOKIE}=; Path={cookie_path}; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    fn session(&self, id: &str) -> Option<Caller> {
        let mut sessions = self.sessions.lock().expect("no panic while held");
        let session = sessions.get_mut(id).filter(|session| session.lasts(self.idle_max))?;
        session.used = Instant::now();
        Some(Caller::Session { user: session.user.clone(), token: session.token.clone() })
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

    fn is_basic(&self, credentials: &str) -> bool {
        if self.is_known_basic(credentials) {
            return true;
        }
        let decoded = BASE64.decode(credentials).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let fits = decoded
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .is_some_and(|(user, password)| self.is_password(user, password));
        if fits {
            let mut known = self.known_basic.lock().expect("no panic while held");
            known.insert(credentials.to_owned(), Instant::now());
        }
        fits
    }

    fn is_password(&self, user: &str, password: &str) -> bool {
        // An unknown user costs the same time as a known one.
        let hash = self.users.get(user).or_else(|| self.users.values().next());
        let Some(hash) = hash.and_then(|hash| PasswordHash::new(hash).ok()) else { return false };
        let fits = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        fits && self.users.contains_key(user)
    }
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

/// The argon2id hash of a password, with a salt of its own.
pub fn hash_password(password: &str) -> anyhow::Result<String> {
    use argon2::password_hash::PasswordHasher as _;
    let salt = random_bytes::<16>()?;
    let hash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| anyhow::anyhow!("cannot hash the password: {error}"))?;
    Ok(hash.to_string())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

fn random_token() -> anyhow::Result<String> {
    Ok(random_bytes::<24>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Bytes that nobody can guess, from the system.
fn random_bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn auth() -> Auth {
        let users = [("ada".to_owned(), hash_password("correct horse").unwrap())].into();
        Auth::new(users, vec!["t0ken".into()], Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn without_users_everybody_may_but_changes_need_the_token() {
        let auth = Auth::new(BTreeMap::new(), Vec::new(), Duration::from_secs(60)).unwrap();
        let caller = auth.caller(&HeaderMap::new()).unwrap();
        assert_eq!(caller, Caller::Anyone);
        assert!(!auth.may_change(&caller, &HeaderMap::new()));
        let token = auth.token(&caller).unwrap();
        assert!(auth.may_change(&caller, &headers(&[(TOKEN_HEADER, &token)])));
        assert!(!auth.may_change(&caller, &headers(&[(TOKEN_HEADER, &token[1..])])));
    }

    #[test]
    fn a_login_gives_a_session_until_it_is_ended() {
        let auth = auth();
        assert_eq!(auth.caller(&HeaderMap::new()), None);
        assert_eq!(auth.log_in("ada", "wrong", "/").unwrap(), None);
        assert_eq!(auth.log_in("bob", "correct horse", "/").unwrap(), None);
        let cookie = auth.log_in("ada", "correct horse", "/").unwrap().unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        let sent = headers(&[("cookie", cookie.split(';').next().unwrap())]);
        let caller = auth.caller(&sent).unwrap();
        assert!(matches!(&caller, Caller::Session { user, .. } if user == "ada"), "{caller:?}");
        auth.log_out(&sent, "/");
        assert_eq!(auth.caller(&sent), None);
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

    #[test]
    fn programs_send_tokens_or_passwords() {
        let auth = auth();
        for (value, expected) in [
            ("Bearer t0ken", Some(Caller::Program)),
            ("bearer t0ken", Some(Caller::Program)),
            ("Bearer t0ken2", None),
            // ada:correct horse
            ("Basic YWRhOmNvcnJlY3QgaG9yc2U=", Some(Caller::Program)),
            ("Basic YWRhOmNvcnJlY3QgaG9yc2U=", Some(Caller::Program)),
            ("Basic YWRhOndyb25n", None),
            ("Basic ???", None),
            ("Negotiate x", None),
        ] {
            assert_eq!(auth.caller(&headers(&[("authorization", value)])), expected, "{value}");
        }
    }

    #[tokio::test]
    async fn passwords_beyond_those_that_wait_are_refused_at_once() {
        let auth = Arc::new(auth());
        let wrong = headers(&[("authorization", "Basic YWRhOndyb25n")]);
        let right = headers(&[("authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2U=")]);
        assert_eq!(auth.identify(&right).await.unwrap(), Some(Caller::Program));
        let asked = (0..100).map(|_| {
            let (auth, wrong) = (auth.clone(), wrong.clone());
            tokio::spawn(async move { auth.identify(&wrong).await })
        });
        let asked: Vec<_> = asked.collect();
        tokio::task::yield_now().await;
        // Who is known, and who sends no password, does not wait for those who guess.
        assert_eq!(auth.identify(&right).await.unwrap(), Some(Caller::Program));
        assert_eq!(auth.identify(&HeaderMap::new()).await.unwrap(), None);
        let refused = asked.len() - CHECKS - CHECKS_WAITING;
        let mut busy = 0;
        for one in asked {
            match one.await.unwrap() {
                Err(Unchecked::Busy) => busy += 1,
                Err(Unchecked::Failed(error)) => panic!("{error}"),
                Ok(caller) => assert_eq!(caller, None),
            }
        }
        assert_eq!(busy, refused);
    }

    #[tokio::test]
    async fn a_check_that_panics_is_no_crowd() {
        let failed = auth().in_turn(|| -> bool { panic!("on purpose") }, |_| false).await;
        assert!(matches!(failed, Err(Unchecked::Failed(_))), "{failed:?}");
    }
}
