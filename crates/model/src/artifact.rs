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

use crate::explain::{Cover, Explaining};
use crate::import::{Import, ImportRecord};
use crate::model::Predictor;
use crate::{Error, Metrics, Model, Schema, Task, Trained, TrainingRecord, model_file};

const SUMS: &str = "SHA256SUMS";
const MODEL: &str = "model.bin";
const SCHEMA: &str = "schema.json";
const METRICS: &str = "metrics.json";
const PROFILE: &str = "profile.json";
const TRAINING: &str = "training.json";

const IMPORT: &str = "import.json";
/// An imported model as its library wrote it.
const FILE: &str = "model.file";

/// The files of a trained model; `SHA256SUMS` lists exactly these, and [`COVER`] where there is one.
const TRAINED: &[&str] = &[MODEL, SCHEMA, METRICS, PROFILE, TRAINING];
/// A file that versions have since they can be explained.
const COVER: &str = "cover.bin";
/// The files of an imported model, likewise.
const IMPORTED: &[&str] = &[FILE, IMPORT];

/// No file of a model comes near this; a larger one is not read into memory.
const MAX_FILE_BYTES: u64 = 1 << 30;

impl Trained {
    /// Writes the model and all that belongs to it into a new directory.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] and [`Error::Io`]. What an earlier, interrupted call left beside the
    /// directory (`.NAME.partial`) is removed.
    pub fn save(&self, directory: &Path) -> Result<(), Error> {
        let Predictor::Trained(boosters) = &self.model.predictor else { return Err(Error::NotTrainedHere) };
        let mut contents = vec![
            (MODEL, model_file::encode(boosters, self.model.threshold)),
            (SCHEMA, json(&self.model.schema)),
            (METRICS, json(&self.metrics)),
            (PROFILE, json(&self.profile)),
            (TRAINING, json(&self.record)),
        ];
        contents.extend(self.model.explaining.cover().map(|cover| (COVER, cover.encode())));
        save(directory, &contents)
    }

    /// How a saved version was trained, without its trees; none of an imported one.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Damaged`].
    pub fn record_of(directory: &Path) -> Result<Option<TrainingRecord>, Error> {
        let path = directory.join(TRAINING);
        if directory.join(IMPORT).exists() {
            return Ok(None);
        }
        let bytes = read_file(&path)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::damaged(&path, error))
    }

    /// Reads what [`Trained::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`] and [`Error::UnsupportedVersion`], naming the file.
    pub fn load(directory: &Path) -> Result<Trained, Error> {
        Files::open(directory, TRAINED)?.trained()
    }
}

impl Import {
    /// Writes the model as its library wrote it, and how it is used here, into a new directory.
    ///
    /// # Errors
    /// As [`Trained::save`].
    pub fn save(&self, directory: &Path) -> Result<(), Error> {
        save(directory, &[(FILE, self.file.clone()), (IMPORT, json(&self.record))])
    }
}

/// What a directory holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    /// A model that was trained here.
    Trained(Box<Trained>),
    /// A model that was trained elsewhere.
    Imported(Box<Import>),
}

impl Stored {
    /// Reads what [`Trained::save`] or [`Import::save`] wrote.
    ///
    /// # Errors
    /// As [`Trained::load`].
    pub fn load(directory: &Path) -> Result<Stored, Error> {
        let sums = directory.join(SUMS);
        let is_imported = String::from_utf8_lossy(&read_file(&sums)?).contains(IMPORT);
        if !is_imported {
            return Ok(Stored::Trained(Box::new(Trained::load(directory)?)));
        }
        let files = Files::open(directory, IMPORTED)?;
        let record: ImportRecord = files.json(IMPORT)?;
        let (path, bytes) = files.get(FILE);
        let import = Import::from_record(bytes.to_vec(), record);
        Ok(Stored::Imported(Box::new(import.map_err(|error| Error::damaged(path, error))?)))
    }

    /// The model.
    pub fn into_model(self) -> Model {
        match self {
            Stored::Trained(trained) => trained.model,
            Stored::Imported(import) => import.model,
        }
    }
}

/// Writes files and their checksums aside, and moves the directory to its place.
fn save(directory: &Path, contents: &[(&str, Vec<u8>)]) -> Result<(), Error> {
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
    let mut sums = String::new();
    for (name, bytes) in contents {
        sums.push_str(&format!("{}  {name}\n", hex_digest(bytes)));
        write_file(&partial.join(name), bytes)?;
    }
    write_file(&partial.join(SUMS), sums.as_bytes())?;
    sync_directory(&partial)?;
    fs::rename(&partial, directory).map_err(Error::io("create", directory))?;
    sync_directory(parent)
}

impl Model {
    /// Reads only what prediction needs from a directory written by [`Trained::save`] or [`Import::save`]; all of its
    /// files are checked against their checksums.
    ///
    /// # Errors
    /// As [`Trained::load`].
    pub fn load(directory: &Path) -> Result<Model, Error> {
        let sums = directory.join(SUMS);
        if String::from_utf8_lossy(&read_file(&sums)?).contains(IMPORT) {
            return Ok(Stored::load(directory)?.into_model());
        }
        Files::open(directory, TRAINED)?.model()
    }
}

/// The files of a directory whose bytes are those that were saved.
struct Files {
    contents: Vec<(PathBuf, Vec<u8>)>,
}

impl Files {
    fn open(directory: &Path, names: &[&str]) -> Result<Files, Error> {
        let sums_path = directory.join(SUMS);
        let sums =
            String::from_utf8(read_file(&sums_path)?).map_err(|error| Error::damaged(&sums_path, error))?;
        let listed: Vec<(&str, &str)> = sums.lines().filter_map(|line| line.split_once("  ")).collect();
        let has_cover = names == TRAINED && listed.iter().any(|(_, name)| *name == COVER);
        let expected = names.len() + usize::from(has_cover);
        if listed.len() != expected || sums.lines().count() != expected {
            return Err(Error::damaged(
                &sums_path,
                format!("expected one line for each of {}", names.join(", ")),
            ));
        }
        let mut contents = Vec::with_capacity(names.len());
        for &name in names.iter().chain(has_cover.then_some(&COVER)) {
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
        let file = self.contents.iter().find(|(path, _)| path.file_name().is_some_and(|file| file == name));
        let (path, bytes) = file.expect("only names that were opened are asked for");
        (path, bytes)
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let (path, bytes) = self.get(name);
        serde_json::from_slice(bytes).map_err(|error| Error::damaged(path, error))
    }

    fn trained(&self) -> Result<Trained, Error> {
        let (model, record): (Model, TrainingRecord) = (self.model()?, self.json(TRAINING)?);
        let (found, said) = (model.task(), record.settings.task);
        if found != said {
            let (path, _) = self.get(TRAINING);
            return Err(Error::damaged(
                path,
                format!("its task is {said}, and {MODEL} holds {}", found.words()),
            ));
        }
        let metrics = match found {
            Task::Binary => Metrics::Binary(self.json(METRICS)?),
            Task::Multiclass | Task::Regression => Metrics::Other(self.json(METRICS)?),
        };
        Ok(Trained { model, metrics, profile: self.json(PROFILE)?, record })
    }

    fn model(&self) -> Result<Model, Error> {
        let (path, bytes) = self.get(MODEL);
        let (boosters, threshold) = model_file::decode(bytes).map_err(|error| error.at(path))?;
        let schema: Schema = self.json(SCHEMA)?;
        for ensemble in boosters.ensembles() {
            if schema.features.len() != ensemble.n_features as usize {
                let (trees, names) = (ensemble.n_features, schema.features.len());
                return Err(Error::damaged(
                    path,
                    format!("its trees have {trees} features, {SCHEMA} has {names}"),
                ));
            }
        }
        let expected = if boosters.task() == Task::Multiclass { boosters.ensembles().len() } else { 0 };
        if schema.classes.len() != expected {
            let named = schema.classes.len();
            return Err(Error::damaged(
                path,
                format!("it has trees for {expected} classes, {SCHEMA} names {named}"),
            ));
        }
        let cover = self.contents.iter().find(|(path, _)| path.ends_with(COVER));
        let decode = |(path, bytes): &(PathBuf, Vec<u8>)| {
            Cover::decode(bytes, &boosters).map_err(|e| Error::damaged(path, e))
        };
        let explaining = Explaining::new(cover.map(decode).transpose()?);
        let record: TrainingRecord = self.json(TRAINING)?;
        let (path, _) = self.get(TRAINING);
        let boosters = boosters
            .with_isotonic(record.selection.isotonic)
            .map_err(|reason| Error::damaged(path, reason))?;
        Ok(Model { schema, predictor: Predictor::Trained(boosters), threshold, explaining })
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
