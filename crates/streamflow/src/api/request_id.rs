//! `X-Request-ID`: what a client calls its request is told back, and a request without a name gets one.

use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest name that is told back.
pub const LONGEST_BYTES: usize = 128;

/// The client's name of its request, or one of ours where it has none, several, or one that is no short visible ASCII.
pub fn of(headers: &HeaderMap) -> HeaderValue {
    let mut sent = headers.get_all(REQUEST_ID).iter();
    match (sent.next(), sent.next()) {
        (Some(id), None) if is_name(id.as_bytes()) => id.clone(),
        _ => made(),
    }
}

/// Whether an answer may bear it.
pub fn is_name(id: &[u8]) -> bool {
    (1..=LONGEST_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// A name that no other request has: a number of this process that other processes have another of, and a count.
fn made() -> HeaderValue {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| {
        use std::hash::{BuildHasher as _, RandomState};
        RandomState::new().hash_one(std::process::id())
    });
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut id = [0; 32];
    write!(&mut id[..], "{:016x}{:016x}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
        .expect("two numbers of 16 digits");
    HeaderValue::from_bytes(&id).expect("digits are visible")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_name_is_told_back_and_others_are_replaced() {
        let longest = "x".repeat(LONGEST_BYTES);
        let too_long = "x".repeat(LONGEST_BYTES + 1);
        for (sent, is_kept) in [
            (&["a"][..], true),
            (&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"], true),
            (&[longest.as_str()], true),
            (&[too_long.as_str()], false),
            (&[], false),
            (&[""], false),
            (&["a b"], false),
            (&["é"], false),
            (&["a", "a"], false),
        ] {
            let mut headers = HeaderMap::new();
            for id in sent {
                headers.append(REQUEST_ID, HeaderValue::from_str(id).unwrap());
            }
            let id = of(&headers);
            assert_eq!(sent.first().is_some_and(|sent| id == *sent) && sent.len() == 1, is_kept, "{sent:?}");
            assert!(is_name(id.as_bytes()), "{id:?}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
