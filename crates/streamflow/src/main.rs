//! The `streamflow` command.

fn main() -> std::process::ExitCode {
    streamflow::cli::main()
}
