//! Embeds the web console anew when it was built anew, folds functions of the same code into one, and tells the code the
//! year of the build.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let dist = "../../console/dist";
    // A binary without the console says how to build it, so the folder must be there, and may be empty.
    std::fs::create_dir_all(dist).expect("the checkout is writable");
    println!("cargo::rerun-if-changed={dist}");
    // What a clock is held against that stands before it. A build that is to be repeated byte for byte names its time.
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let named = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // Gregorian years have 365.2425 days; hours around new year do not matter here.
    let year = 1970 + named.unwrap_or(now) / 31_556_952;
    println!("cargo::rustc-env=STREAMFLOW_BUILD_YEAR={year}");
    // A twentieth of the binary. Only where Rust's own linker is the default: others know no such argument.
    let is = |name: &str, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
