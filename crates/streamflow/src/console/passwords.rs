//! The users' passwords. A check is slow by design, so it has a bound on everything: how often somebody may be wrong, how
//! many checks run and wait, and the memory they take.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use super::refusals::Refusals;
use crate::attempts::Attempts;
use crate::random::random_bytes;

/// Checks that wait for their turn; one more is refused.
const WAITING_MAX: usize = 32;
/// How long a check that failed keeps its turn, so that guessing leaves the processors to others.
const AFTER_FAILURE: Duration = Duration::from_millis(150);
/// Memory of all checks that run at once: two of the hashes that `streamflow hash-password` makes take 38 MiB.
const MEMORY_KIB: u32 = 48 << 10;
/// Checks that run at once, where their memory allows it.
const CHECKS: usize = 2;

/// Wrong passwords from one address: ten at once, then ten a minute.
const BY_ADDRESS: (u32, Duration) = (10, Duration::from_secs(6));
/// Wrong passwords for one user from all addresses: thirty at once, then thirty a minute.
const BY_USER: (u32, Duration) = (30, Duration::from_secs(2));

/// Why a password was not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotChecked {
    /// Too many are being checked.
    Busy,
    /// There were too many wrong ones; after this time there may be another.
    TooOften(Duration),
}

/// The users and who may try again when.
pub struct Passwords {
    users: BTreeMap<String, PasswordHash>,
    /// What an unknown user's password is checked against: that takes the same time.
    nobody: Option<PasswordHash>,
    checking: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Memory of checks that have ended, for those to come.
    memory: Mutex<Vec<Vec<Block>>>,
    by_address: Attempts,
    by_user: Attempts,
    refusals: Refusals,
}

impl Passwords {
    /// Users by name, with their argon2 hashes.
    ///
    /// # Errors
    /// What is no such hash, or one whose check takes more memory than there is for all.
    pub fn new(users: &BTreeMap<String, String>) -> anyhow::Result<Arc<Self>> {
        let mut parsed = BTreeMap::new();
        let mut largest_kib = 1;
        for (user, text) in users {
            let hash = PasswordHash::new(text).ok();
            let (params, hash) = hash
                .and_then(|hash| Some((Params::try_from(&hash).ok()?, hash)))
                .with_context(|| format!("the hash of user {user:?} is none of argon2; make one with `streamflow hash-password`"))?;
            if params.m_cost() > MEMORY_KIB {
                bail!(
                    "to check the hash of user {user:?} takes {} KiB of memory, at most {MEMORY_KIB} are allowed; make \
                     one with `streamflow hash-password`",
                    params.m_cost()
                );
            }
            largest_kib = largest_kib.max(params.m_cost());
            parsed.insert(user.clone(), hash);
        }
        let checks = CHECKS.min((MEMORY_KIB / largest_kib) as usize);
        Ok(Arc::new(Self {
            nobody: parsed.values().next().cloned(),
            users: parsed,
            checking: Arc::new(Semaphore::new(checks)),
            waiting: Arc::new(Semaphore::new(checks + WAITING_MAX)),
            memory: Mutex::default(),
            by_address: Attempts::new(BY_ADDRESS.0, BY_ADDRESS.1),
            by_user: Attempts::new(BY_USER.0, BY_USER.1),
            refusals: Refusals::default(),
        }))
    }

    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Whether the password is the user's. Takes tens of milliseconds, also for a user there is not.
    ///
    /// # Errors
    /// [`NotChecked`]. Every refusal, also of a wrong password, is a line of the log.
    pub async fn check(
        self: &Arc<Self>,
        user: String,
        password: String,
        address: IpAddr,
    ) -> Result<bool, NotChecked> {
        let now = Instant::now();
        let origin = origin(address);
        let taken = self.by_address.take(origin, now).and_then(|()| self.by_user.take(&user, now));
        if let Err(wait) = taken {
            self.refusals.write(address, &user, "too many wrong passwords");
            return Err(NotChecked::TooOften(wait));
        }
        let Ok(place) = self.waiting.clone().try_acquire_owned() else {
            self.refusals.write(address, &user, "too many passwords are being checked");
            return Err(NotChecked::Busy);
        };
        // In a task of its own: a client that leaves must not give up the turn of a check that goes on.
        let passwords = self.clone();
        let checked = tokio::spawn(async move {
            let (_place, turn) = (place, passwords.checking.acquire().await);
            let checking = passwords.clone();
            let attempt = (user, password);
            let work =
                tokio::task::spawn_blocking(move || (checking.fits(&attempt.0, &attempt.1), attempt.0));
            let (fits, user) = work.await.unwrap_or_default();
            if fits {
                passwords.by_address.give_back(origin);
                passwords.by_user.give_back(&user);
            } else {
                passwords.refusals.write(address, &user, "user and password do not fit");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            drop(turn);
            fits
        });
        checked.await.map_err(|_| NotChecked::Busy)
    }

    fn fits(&self, user: &str, password: &str) -> bool {
        let hash = self.users.get(user);
        let is_right =
            hash.or(self.nobody.as_ref()).is_some_and(|hash| self.verify(password, hash).unwrap_or(false));
        is_right && hash.is_some()
    }

    /// Hashes the password as the hash was made, in memory that is kept: the allocator would keep some for every thread
    /// that ever checked one.
    fn verify(&self, password: &str, hash: &PasswordHash) -> argon2::password_hash::Result<bool> {
        let params = Params::try_from(hash)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Ok(false) };
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from)?;
        let blocks = params.block_count();
        let argon2 = Argon2::new(Algorithm::try_from(hash.algorithm.as_str())?, version, params);
        let kept = self.memory.lock().expect("no panic while held").pop();
        let mut memory = kept.unwrap_or_default();
        memory.resize(blocks.max(memory.len()), Block::new());
        let mut output = vec![0; expected.len()];
        let hashed = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            &mut output,
            &mut memory[..blocks],
        );
        self.memory.lock().expect("no panic while held").push(memory);
        hashed?;
        Ok(output.ct_eq(expected.as_bytes()).into())
    }
}

/// What counts as one address: of IPv6 the network of a customer, who has all of its addresses.
fn origin(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Arc<Passwords> {
        let users = [("ada".to_owned(), hash_password("correct horse").unwrap())].into();
        Passwords::new(&users).unwrap()
    }

    async fn check(
        passwords: &Arc<Passwords>,
        user: &str,
        password: &str,
        address: &str,
    ) -> Result<bool, NotChecked> {
        passwords.check(user.to_owned(), password.to_owned(), address.parse().unwrap()).await
    }

    #[tokio::test]
    async fn user_and_password_must_fit() {
        let passwords = passwords();
        for (user, password, expected) in [
            ("ada", "correct horse", true),
            ("ada", "wrong", false),
            ("bob", "correct horse", false),
            ("", "", false),
        ] {
            assert_eq!(check(&passwords, user, password, "::1").await, Ok(expected), "{user}");
        }
        assert!(passwords.memory.lock().unwrap().len() <= CHECKS);
    }

    #[test]
    fn hashes_of_other_programs_are_read_if_their_memory_is_bounded() {
        // Made by Python's argon2-cffi with time_cost 2, memory_cost 1024 and parallelism 2.
        let foreign = "$argon2id$v=19$m=1024,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$tsO6Y2aSBljG2z0xzqpPrCfUfGL6p4s+3/dK55iDYUs";
        let users = |hash: &str| BTreeMap::from([("ada".to_owned(), hash.to_owned())]);
        assert!(Passwords::new(&users(foreign)).unwrap().fits("ada", "correct horse"));
        for (hash, expected) in [
            (foreign.replace("m=1024", "m=65536"), "takes 65536 KiB of memory"),
            ("$2b$12$abc".to_owned(), "is none of argon2"),
        ] {
            let error = Passwords::new(&users(&hash)).err().unwrap().to_string();
            assert!(error.contains(expected) && error.contains("hash-password"), "{error}");
        }
    }

    #[tokio::test]
    async fn who_is_wrong_too_often_waits_and_others_do_not() {
        let passwords = passwords();
        assert_eq!(check(&passwords, "ada", "wrong", "2001:db8::1").await, Ok(false));
        let (network, now) = (origin("2001:db8::1".parse().unwrap()), Instant::now());
        while passwords.by_address.take(network, now).is_ok() {}
        let refused = check(&passwords, "ada", "correct horse", "2001:db8::77").await;
        assert!(matches!(refused, Err(NotChecked::TooOften(wait)) if wait <= BY_ADDRESS.1), "{refused:?}");
        for _ in 0..2 * BY_ADDRESS.0 {
            assert_eq!(check(&passwords, "ada", "correct horse", "2001:db8:0:1::").await, Ok(true));
        }
    }

    #[tokio::test]
    async fn guessing_at_one_user_from_everywhere_has_a_bound() {
        let passwords = passwords();
        let now = Instant::now();
        for _ in 0..BY_USER.0 {
            passwords.by_user.take("ada", now).unwrap();
        }
        let refused = check(&passwords, "ada", "correct horse", "1.2.3.4").await;
        assert!(matches!(refused, Err(NotChecked::TooOften(wait)) if wait <= BY_USER.1), "{refused:?}");
        assert_eq!(check(&passwords, "bob", "wrong", "1.2.3.4").await, Ok(false));
    }

    #[tokio::test]
    async fn passwords_beyond_those_that_wait_are_refused_at_once() {
        let passwords = passwords();
        let asked: Vec<_> = (0..100)
            .map(|number| {
                let passwords = passwords.clone();
                let (user, address) = (format!("user{number}"), format!("10.0.0.{number}"));
                tokio::spawn(async move { check(&passwords, &user, "wrong", &address).await })
            })
            .collect();
        let mut busy = 0;
        for one in asked {
            match one.await.unwrap() {
                Err(NotChecked::Busy) => busy += 1,
                other => assert_eq!(other, Ok(false)),
            }
        }
        assert_eq!(busy, 100 - CHECKS - WAITING_MAX);
    }
}
