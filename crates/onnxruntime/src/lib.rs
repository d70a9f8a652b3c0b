//! ONNX graphs computed by onnxruntime: those with operators that `streamflow-inference` does not evaluate itself.
//!
//! The library is not a part of the binary. It is loaded when the first such graph is read, and where it is absent the
//! graph is refused with the way to get it. Judged by onnxruntime's own Python module.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod values;

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use streamflow_inference::{GraphRuntime, PreparedGraph, Tensor};

/// The name by which the system's loader knows the library.
const SYSTEM_NAME: &str =
    if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// How to get it; the wheel's library is found by this name in its folder.
const REMEDY: &str = "install it (pip install onnxruntime) and set ORT_DYLIB_PATH to its library, \
                      onnxruntime/capi/libonnxruntime.so.VERSION in Python's site-packages";

/// onnxruntime, where it is installed.
#[derive(Debug)]
pub struct OnnxRuntime {
    library: PathBuf,
    environment: OnceLock<Result<Environment, String>>,
}

impl OnnxRuntime {
    /// The library in this file, or the one that the system has. It is loaded when a graph needs it.
    #[must_use]
    pub fn new(library: Option<PathBuf>) -> Self {
        Self { library: library.unwrap_or_else(|| SYSTEM_NAME.into()), environment: OnceLock::new() }
    }

    fn environment(&self) -> Result<&Environment, String> {
        let load = || {
            let builder = ort::init_from(&self.library).map_err(|error| {
                format!(
                    "onnxruntime would compute it, but {} cannot be loaded ({error}): {REMEDY}",
                    self.library.display()
                )
            })?;
            builder
                .with_telemetry(false)
                .build()
                .map_err(|error| format!("onnxruntime does not start: {error}"))
        };
        self.environment.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

impl GraphRuntime for OnnxRuntime {
    fn prepare(&self, file: &[u8]) -> Result<Box<dyn PreparedGraph>, String> {
        let refused = |error: ort::Error| format!("onnxruntime refuses it: {error}");
        let mut builder = Session::builder(self.environment()?).map_err(refused)?;
        let session = builder.commit_from_memory(file).map_err(refused)?;
        Ok(Box::new(Prepared(Mutex::new(session))))
    }
}

/// A session computes one batch at a time.
struct Prepared(Mutex<Session>);

impl PreparedGraph for Prepared {
    fn run(&self, inputs: Vec<(&str, Tensor)>, outputs: &[&str]) -> Result<Vec<Tensor>, String> {
        let mut session = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut given: Vec<(String, SessionInputValue)> = Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            let input = session.inputs().iter().find(|input| input.name() == name);
            let kind = input.and_then(|input| input.dtype().tensor_type());
            given.push((
                name.to_owned(),
                values::given(tensor, kind).map_err(|error| format!("input {name:?}: {error}"))?,
            ));
        }
        let mut computed = session.run(given).map_err(|error| error.to_string())?;
        let output = |name: &&str| {
            let value = computed.remove(name).ok_or_else(|| format!("output {name:?} is not given"))?;
            values::computed(value).map_err(|error| format!("output {name:?}: {error}"))
        };
        outputs.iter().map(output).collect()
    }
}
