//! The `streamflow` command.

fn main() -> std::process::ExitCode {
    streamflow::main()
}
