//! Weight files in the safetensors format, one or several, mapped while they are read and checked before memory is taken.
//!
//! A tensor is only ever copied after its shape was found equal to the expected one and its bytes were found inside the file,
//! so no header can make the engine allocate more than the file holds (twice that for f16, which is widened).

use super::error::EngineError;
use super::files::{FileDigests, Object, SMALL_FILE, brief, open, read};
use super::kernel::Elements;
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Most bytes of a header; that of a model with ten thousand tensors has about one million.
const HEADER: u64 = 16 << 20;

struct Mapped {
    path: PathBuf,
    bytes: Mmap,
}

struct Entry {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

/// The tensors of a checkpoint or an adapter. Each can be taken once; [`Tensors::finish`] refuses what nobody took.
pub(super) struct Tensors {
    /// What errors about absent tensors name.
    path: PathBuf,
    files: Vec<Mapped>,
    entries: BTreeMap<String, Entry>,
    taken: BTreeSet<String>,
}

impl Tensors {
    /// `model.safetensors` of a folder, or the parts that `model.safetensors.index.json` lists.
    pub(super) fn of_checkpoint(dir: &Path, digests: &mut FileDigests) -> Result<Self, EngineError> {
        let index = dir.join("model.safetensors.index.json");
        if dir.join("model.safetensors").exists() || !index.exists() {
            return Self::of_file(&dir.join("model.safetensors"), digests);
        }
        let bytes = read(&index, SMALL_FILE, "goldgate reads weights in the safetensors format only")?;
        let parts = parse_index(&Object::parse(&index, &bytes)?)?;
        digests.add("model.safetensors.index.json", &bytes);
        let names: BTreeSet<&String> = parts.values().collect();
        let mut all =
            Self { path: dir.to_owned(), files: Vec::new(), entries: BTreeMap::new(), taken: BTreeSet::new() };
        for name in names {
            all.add_file(&dir.join(name), digests)?;
        }
        for (tensor, name) in parts {
            let path = dir.join(name);
            if all.entries.get(&tensor).is_none_or(|e| all.files[e.file].path != path) {
                return Err(EngineError::MissingTensor { path, tensor });
            }
        }
        Ok(all)
    }

    /// One file.
    pub(super) fn of_file(path: &Path, digests: &mut FileDigests) -> Result<Self, EngineError> {
        let mut all =
            Self { path: path.to_owned(), files: Vec::new(), entries: BTreeMap::new(), taken: BTreeSet::new() };
        all.add_file(path, digests)?;
        Ok(all)
    }

    fn add_file(&mut self, path: &Path, digests: &mut FileDigests) -> Result<(), EngineError> {
        let bytes = map(path)?;
        let container = |problem: String| EngineError::Container { path: path.to_owned(), problem };
        let header = bytes.first_chunk().map(|b| u64::from_le_bytes(*b));
        match header {
            None => {
                return Err(container(format!("it has {} bytes, fewer than its header's length takes", bytes.len())));
            }
            Some(n) if n > HEADER => return Err(container(format!("its header claims {n} bytes, more than {HEADER}"))),
            Some(_) => {}
        }
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| container(e.to_string()))?;
        let file = self.files.len();
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let entry = Entry {
                file,
                dtype: info.dtype,
                shape: info.shape.clone(),
                bytes: size_of::<u64>() + header + from..size_of::<u64>() + header + to,
            };
            if entry.bytes.end > bytes.len() || entry.shape.contains(&0) {
                return Err(container(format!("tensor {} is empty or ends outside the file", brief(&name.into()))));
            }
            if self.entries.insert(name.clone(), entry).is_some() {
                return Err(container(format!("tensor {} is also in another part", brief(&name.into()))));
            }
        }
        if self.entries.is_empty() {
            return Err(container("it holds no tensors".to_owned()));
        }
        digests.add(&path.file_name().unwrap_or_default().to_string_lossy(), &bytes);
        self.files.push(Mapped { path: path.to_owned(), bytes });
        Ok(())
    }

    /// Marks a tensor as known without reading it.
    pub(super) fn skip(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// Copies a tensor out of its file after checking its shape, type and values.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Elements, EngineError> {
        let Some(entry) = self.entries.get(name) else {
            return Err(EngineError::MissingTensor { path: self.path.clone(), tensor: name.to_owned() });
        };
        let file = &self.files[entry.file];
        let (path, tensor) = (file.path.clone(), name.to_owned());
        if entry.shape != shape {
            let (found, expected) = (entry.shape.clone(), shape.to_vec());
            return Err(EngineError::WrongShape { path, tensor, found, expected });
        }
        let bytes = &file.bytes[entry.bytes.clone()];
        let elements = match entry.dtype {
            Dtype::F32 => Elements::F32(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Dtype::F16 => {
                let halves = bytes.as_chunks::<2>().0.iter();
                Elements::F32(halves.map(|b| half::f16::from_le_bytes(*b).to_f32()).collect())
            }
            Dtype::BF16 => Elements::Bf16(bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b)).collect()),
            other => return Err(EngineError::WrongDtype { path, tensor, dtype: format!("{other:?}") }),
        };
        if !elements.all_finite() {
            return Err(EngineError::NotFinite { path, tensor });
        }
        self.taken.insert(tensor);
        Ok(elements)
    }

    /// A vector in f32.
    pub(super) fn take_vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, EngineError> {
        Ok(self.take(name, &[length])?.into_f32())
    }

    /// Whether the first tensor holds the same bytes and type as the second.
    pub(super) fn equal(&self, a: &str, b: &str) -> bool {
        let raw = |name: &str| {
            self.entries.get(name).map(|e| (e.dtype, &e.shape, &self.files[e.file].bytes[e.bytes.clone()]))
        };
        raw(a) == raw(b)
    }

    /// Refuses tensors that were neither taken nor skipped.
    pub(super) fn finish(self) -> Result<(), EngineError> {
        match self.entries.into_iter().find(|(name, _)| !self.taken.contains(name)) {
            None => Ok(()),
            Some((tensor, entry)) => {
                Err(EngineError::UnexpectedTensor { path: self.files[entry.file].path.clone(), tensor })
            }
        }
    }
}

/// The file that each tensor is in.
fn parse_index(index: &Object) -> Result<BTreeMap<String, String>, EngineError> {
    let Some(map) = index.get("weight_map").and_then(|m| m.as_object()) else {
        return Err(index.wrong("weight_map", "is not an object"));
    };
    let mut parts = BTreeMap::new();
    for (tensor, file) in map {
        // Names only: an index must not make the engine read outside the checkpoint's folder.
        let plain = |name: &&str| name.ends_with(".safetensors") && !name.contains(['/', '\\']);
        let Some(name) = file.as_str().filter(plain) else {
            return Err(
                index.wrong("weight_map", format!("names {}, expected a .safetensors file beside it", brief(file)))
            );
        };
        parts.insert(tensor.clone(), name.to_owned());
    }
    if parts.is_empty() {
        return Err(index.wrong("weight_map", "is empty"));
    }
    Ok(parts)
}

#[allow(unsafe_code, reason = "mapping a file is unsafe in itself")]
fn map(path: &Path) -> Result<Mmap, EngineError> {
    let (file, size) = open(path, "goldgate reads weights in the safetensors format only")?;
    if size == 0 {
        return Err(EngineError::Container { path: path.to_owned(), problem: "it is empty".to_owned() });
    }
    // SAFETY: a read-only mapping of a regular file, dropped when the weights have been packed. As with every mapping, another
    // program that cuts or rewrites the file during that time would be seen here; checkpoints are not written while in use.
    unsafe { Mmap::map(&file) }.map_err(|source| EngineError::Io { path: path.to_owned(), source })
}
