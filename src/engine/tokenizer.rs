//! Text to token ids and back, through the `tokenizers` crate.

use super::error::{EngineError, RequestError};
use super::files::{FileDigests, TOKENIZER_FILE, read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub(super) struct TextCodec(tokenizers::Tokenizer);

/// Runs the crate's code on what a file or a model said. It reports most faults, but indexes into what it read in places; a
/// hostile file must not end the program.
fn guarded<T>(f: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result.map_err(|e| e.to_string().chars().take(300).collect()),
        Err(_) => Err("it made the tokenizer library panic".to_owned()),
    }
}

impl TextCodec {
    /// Reads `tokenizer.json` of a checkpoint whose embeddings have `vocabulary` rows.
    pub(super) fn load(dir: &Path, vocabulary: usize, digests: &mut FileDigests) -> Result<Self, EngineError> {
        let path = dir.join("tokenizer.json");
        let bytes = read(&path, TOKENIZER_FILE, "goldgate needs the tokenizer in the tokenizers library's format")?;
        digests.add("tokenizer.json", &bytes);
        let wrong = |problem| EngineError::Tokenizer { path: path.clone(), problem };
        let mut tokenizer = guarded(|| tokenizers::Tokenizer::from_bytes(&bytes)).map_err(&wrong)?;
        // Settings left over from training would cut prompts or fill them up without a word.
        guarded(|| tokenizer.with_truncation(None).map(|_| ())).map_err(&wrong)?;
        tokenizer.with_padding(None);
        let largest = guarded(|| Ok(tokenizer.get_vocab(true).into_values().max())).map_err(&wrong)?;
        match largest {
            Some(id) if (id as usize) < vocabulary => Ok(Self(tokenizer)),
            Some(id) => Err(wrong(format!("it has token id {id}, and the model's vocabulary ends at {vocabulary}"))),
            None => Err(wrong("it has no tokens".to_owned())),
        }
    }

    /// Token ids of a text, without those that the tokenizer would put around it by itself.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, RequestError> {
        let encoded = guarded(|| self.0.encode_fast(text, false)).map_err(RequestError::Tokenizer)?;
        Ok(encoded.get_ids().to_vec())
    }

    /// Text without special tokens.
    pub(super) fn decode(&self, ids: &[u32]) -> Result<String, RequestError> {
        guarded(|| self.0.decode(ids, true)).map_err(RequestError::Tokenizer)
    }
}
