//! A trained model as a directory (docs/model.md describes every file).
//!
//! It is written aside, synced and renamed, so a directory of that name is whole or absent. Every
//! file is listed with its SHA-256 in `SHA256SUMS`, which `sha256sum -c` understands.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{Error, Model, Schema, Trained, model_file};

const SUMS: &str = "SHA256SUMS";
const MODEL: &str = "model.bin";
const SCHEMA: &str = "schema.json";
const METRICS: &str = "metrics.json";
const PROFILE: &str = "profile.json";
const TRAINING: &str = "training.json";

/// The files a directory must have; `SHA256SUMS` lists exactly these.
const FILES: [&str; 5] = [MODEL, SCHEMA, METRICS, PROFILE, TRAINING];

/// No file of a model comes near this; a larger one is not read into memory.
const MAX_FILE_BYTES: u64 = 1 << 30;

impl Trained {
    /// Writes the model and all that belongs to it into a new directory.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] and [`Error::Io`]. What an earlier, interrupted call left beside the
    /// directory (`.NAME.partial`) is removed.
    pub fn save(&self, directory: &Path) -> Result<(), Error> {
        if directory.exists() {
            return Err(Error::AlreadyExists { path: directory.to_path_buf() });
        }
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let parent = match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let partial = parent.join(format!(".{name}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(Error::io("remove", &partial))?;
        }
        fs::create_dir_all(&partial).map_err(Error::io("create", &partial))?;
        self.write_files(&partial)?;
        fs::rename(&partial, directory).map_err(Error::io("create", directory))?;
        sync_directory(parent)
    }

    fn write_files(&self, directory: &Path) -> Result<(), Error> {
        let contents = [
            (MODEL, model_file::encode(&self.model.ensemble, self.model.threshold)),
            (SCHEMA, json(&self.model.schema)),
            (METRICS, json(&self.metrics)),
            (PROFILE, json(&self.profile)),
            (TRAINING, json(&self.record)),
        ];
        let mut sums = String::new();
        for (name, bytes) in contents {
            sums.push_str(&format!("{}  {name}\n", hex_digest(&bytes)));
            write_file(&directory.join(name), &bytes)?;
        }
        write_file(&directory.join(SUMS), sums.as_bytes())?;
        sync_directory(directory)
    }

    /// Reads what [`Trained::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`] and [`Error::UnsupportedVersion`], naming the file.
    pub fn load(directory: &Path) -> Result<Trained, Error> {
        let files = Files::open(directory)?;
        Ok(Trained {
            model: files.model()?,
            metrics: files.json(METRICS)?,
            profile: files.json(PROFILE)?,
            record: files.json(TRAINING)?,
        })
    }
}

impl Model {
    /// Reads only what prediction needs from a directory written by [`Trained::save`]; all of its
    /// files are checked against their checksums.
    ///
    /// # Errors
    /// As [`Trained::load`].
    pub fn load(directory: &Path) -> Result<Model, Error> {
        Files::open(directory)?.model()
    }
}

/// The files of a directory whose bytes are those that were saved.
struct Files {
    contents: Vec<(PathBuf, Vec<u8>)>,
}

impl Files {
    fn open(directory: &Path) -> Result<Files, Error> {
        let sums_path = directory.join(SUMS);
        let sums =
            String::from_utf8(read_file(&sums_path)?).map_err(|error| Error::damaged(&sums_path, error))?;
        let listed: Vec<(&str, &str)> = sums.lines().filter_map(|line| line.split_once("  ")).collect();
        if listed.len() != FILES.len() || sums.lines().count() != FILES.len() {
            return Err(Error::damaged(
                &sums_path,
                format!("expected one line for each of {}", FILES.join(", ")),
            ));
        }
        let mut contents = Vec::with_capacity(FILES.len());
        for name in FILES {
            let sum = listed.iter().find(|(_, listed)| *listed == name).map(|(sum, _)| *sum);
            let sum = sum.ok_or_else(|| Error::damaged(&sums_path, format!("it does not list {name}")))?;
            let path = directory.join(name);
            let bytes = read_file(&path)?;
            if hex_digest(&bytes) != sum {
                return Err(Error::damaged(&path, format!("its SHA-256 is not the one in {SUMS}")));
            }
            contents.push((path, bytes));
        }
        Ok(Files { contents })
    }

    fn get(&self, name: &str) -> (&Path, &[u8]) {
        let index = FILES.iter().position(|file| *file == name).expect("only names of FILES are asked for");
        let (path, bytes) = &self.contents[index];
        (path, bytes)
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let (path, bytes) = self.get(name);
        serde_json::from_slice(bytes).map_err(|error| Error::damaged(path, error))
    }

    fn model(&self) -> Result<Model, Error> {
        let (path, bytes) = self.get(MODEL);
        let (ensemble, threshold) = model_file::decode(bytes).map_err(|error| error.at(path))?;
        let schema: Schema = self.json(SCHEMA)?;
        if schema.features.len() != ensemble.n_features as usize {
            let (trees, names) = (ensemble.n_features, schema.features.len());
            return Err(Error::damaged(
                path,
                format!("its trees have {trees} features, {SCHEMA} has {names}"),
            ));
        }
        Ok(Model { schema, ensemble, threshold })
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(value).expect("plain structs without map keys or failing impls");
    bytes.push(b'\n');
    bytes
}

fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Error::damaged(path, format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = File::create(path).map_err(Error::io("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io("write", path))
}

/// Makes the entries of a directory durable.
fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(Error::io("sync", path))
}
