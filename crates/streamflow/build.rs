//! Embeds the web console anew when it was built anew.

fn main() {
    let dist = "../../console/dist";
    // A binary without the console says how to build it, so the folder must be there, and may be empty.
    std::fs::create_dir_all(dist).expect("the checkout is writable");
    println!("cargo::rerun-if-changed={dist}");
}
