//! Embeds the web console anew when it was built anew, and folds functions of the same code into one.

fn main() {
    let dist = "../../console/dist";
    // A binary without the console says how to build it, so the folder must be there, and may be empty.
    std::fs::create_dir_all(dist).expect("the checkout is writable");
    println!("cargo::rerun-if-changed={dist}");
    // A twentieth of the binary. Only where Rust's own linker is the default: others know no such argument.
    let is = |name: &str, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
