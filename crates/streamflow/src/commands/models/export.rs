//! `streamflow models export`: a version of the registry as a file that other programs score with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use streamflow_model::Stored;

use super::super::{Context, Usage};
use super::show;
use crate::files::write_aside;
use crate::registry::Registry;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The version [default: the one in production of the configuration's model]
    #[arg(value_name = "[NAME:]VERSION|NAME")]
    version: Option<String>,
    /// Where it is written: ONNX for a version that was trained here, for an imported one the file that it came in
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What was written.
#[derive(Serialize)]
struct Exported {
    name: String,
    version: i64,
    format: String,
    file: PathBuf,
    size_bytes: usize,
}

pub async fn run(args: &Args, registry: &Registry, model: &str, context: &Context) -> anyhow::Result<()> {
    let (name, version) = show::asked(args.version.as_deref(), model)?;
    let version = registry.resolve(&name, version).await?;
    let stored = registry.stored(&name, version).await?;
    let (format, bytes) = written(&stored, &args.out)?;
    write_aside(&args.out, &bytes).with_context(|| format!("cannot write {}", args.out.display()))?;
    let exported = Exported { name, version, format, file: args.out.clone(), size_bytes: bytes.len() };
    context.terminal.result(&exported, || exported.text())
}

/// The format and the bytes of a version; refuses a file name that says another format.
fn written(stored: &Stored, out: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    if out.is_dir() || out.file_name().is_none() {
        return Err(Usage::error(format!("--out is {}, a folder; expected a file", out.display())));
    }
    let suffix = |name: &Path| name.extension().map(|suffix| suffix.to_string_lossy().to_lowercase());
    let (given, expected, format, bytes) = match stored {
        Stored::Trained(trained) => {
            (suffix(out), Some("onnx".to_owned()), "ONNX".to_owned(), trained.model.to_onnx()?)
        }
        Stored::Imported(import) => {
            let expected = suffix(Path::new(&import.record.file));
            (suffix(out), expected, import.record.format.clone(), import.file().to_vec())
        }
    };
    match (given, expected) {
        (Some(given), Some(expected)) if given == expected => Ok((format, bytes)),
        (_, None) => Ok((format, bytes)),
        (_, Some(expected)) => {
            bail!(
                "--out is {}, and the version is written as {format}; expected a name that ends in .{expected}",
                out.display()
            )
        }
    }
}

impl Exported {
    fn text(&self) -> String {
        let Self { name, version, format, file, size_bytes } = self;
        format!("Wrote version {version} of {name} to {}: {format}, {size_bytes} bytes.", file.display())
    }
}
