//! A checkpoint in memory, ready to be asked.

use super::chat::{ChatMessage, ChatTemplate};
use super::checkpoint::Tensors;
use super::config::ModelConfig;
use super::error::{EngineError, RequestError};
use super::files::{FileDigests, Object, SMALL_FILE, read};
use super::kernel::{Isa, Pool};
use super::lora::Adapter;
use super::model::Model;
use super::tokenizer::TextCodec;
use super::weights::Weights;
use std::num::NonZeroUsize;
use std::path::Path;

/// How an [`Engine`] computes. None of it changes an answer but `chat_date`.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Threads that share the work; `None` takes as many as the machine offers this process.
    pub threads: Option<NonZeroUsize>,
    /// The date that a chat template sees when it asks for today's. `None` refuses to render such a template, since its
    /// answers would change from day to day.
    pub chat_date: Option<jiff::civil::Date>,
    /// Uses plain Rust even where the machine has vector instructions: slow, and the same bits.
    pub portable: bool,
}

/// Names an adapter of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdapterId(pub(super) usize);

/// A base checkpoint with its tokenizer, its chat template and any number of adapters.
pub struct Engine {
    pub(super) model: Model,
    pub(super) codec: TextCodec,
    pub(super) pool: Pool,
    template: Option<ChatTemplate>,
    adapters: Vec<Adapter>,
    digest: [u8; 32],
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.model.config)
            .field("adapters", &self.adapters.len())
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads the checkpoint in `base_dir`: `config.json`, `generation_config.json` if there is one, `model.safetensors` or
    /// its parts, `tokenizer.json`, and the chat template if there is one.
    ///
    /// # Errors
    /// Any [`EngineError`]; nothing is kept then.
    pub fn load(base_dir: &Path, options: &EngineOptions) -> Result<Self, EngineError> {
        let mut digests = FileDigests::default();
        let config = read_config(base_dir, &mut digests)?;
        let codec = TextCodec::load(base_dir, config.vocabulary, &mut digests)?;
        let template = ChatTemplate::load(base_dir, options.chat_date, &mut digests)?;
        let weights = Weights::load(&config, Tensors::of_checkpoint(base_dir, &mut digests)?)?;
        let threads =
            options.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let isa = if options.portable { Isa::portable() } else { Isa::detect() };
        Ok(Self {
            model: Model::new(config, weights, isa),
            codec,
            pool: Pool::new(threads),
            template,
            adapters: Vec::new(),
            digest: digests.finish(),
        })
    }

    /// Loads a PEFT `LoRA` adapter for this base from `adapter_config.json` and `adapter_model.safetensors` in `dir`.
    ///
    /// # Errors
    /// Any [`EngineError`]; the engine is as it was then.
    pub fn load_adapter(&mut self, dir: &Path) -> Result<AdapterId, EngineError> {
        self.adapters.push(Adapter::load(dir, &self.model.config)?);
        Ok(AdapterId(self.adapters.len() - 1))
    }

    /// The prompt that the checkpoint's chat template makes of a conversation, ending where the assistant's turn begins.
    ///
    /// # Errors
    /// [`RequestError::NoTemplate`], or [`RequestError::Template`] with the template's reason.
    pub fn render_chat(&self, messages: &[ChatMessage]) -> Result<String, RequestError> {
        self.template.as_ref().ok_or(RequestError::NoTemplate)?.render(messages)
    }

    /// Token ids of a text in which special tokens are already written out, as [`Engine::render_chat`] leaves it.
    ///
    /// # Errors
    /// [`RequestError::Tokenizer`].
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, RequestError> {
        self.codec.encode(text)
    }

    /// The text of token ids, without special tokens.
    ///
    /// # Errors
    /// [`RequestError::Tokenizer`].
    pub fn detokenize(&self, ids: &[u32]) -> Result<String, RequestError> {
        self.codec.decode(ids)
    }

    /// SHA-256 over the names and contents of the base's files that determine its answers: configuration, weights,
    /// tokenizer and chat template.
    pub fn weights_digest(&self) -> [u8; 32] {
        self.digest
    }

    /// SHA-256 over the names and contents of an adapter's files; `None` if the id is of another engine.
    pub fn adapter_digest(&self, id: AdapterId) -> Option<[u8; 32]> {
        self.adapters.get(id.0).map(|a| a.digest)
    }

    /// Positions that a prompt and its answer may take together.
    pub fn context(&self) -> usize {
        self.model.config.context
    }

    /// Ids in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.model.config.vocabulary
    }

    /// Threads that share the work.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// The instructions in use, for a run's record: `avx2+fma` or `portable`.
    pub fn instructions(&self) -> &'static str {
        self.model.isa.name()
    }

    /// Bytes that the base's weights take in memory.
    pub fn weight_bytes(&self) -> usize {
        self.model.weights.bytes()
    }

    pub(super) fn adapter(&self, id: AdapterId) -> Option<&Adapter> {
        self.adapters.get(id.0)
    }

    #[cfg(test)]
    pub(super) fn template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }
}

fn read_config(dir: &Path, digests: &mut FileDigests) -> Result<ModelConfig, EngineError> {
    let mut object = |name: &str| {
        let path = dir.join(name);
        let bytes = read(&path, SMALL_FILE, "give the folder of a checkpoint as Hugging Face lays it out")?;
        digests.add(name, &bytes);
        Object::parse(&path, &bytes)
    };
    let config = object("config.json")?;
    let name = "generation_config.json";
    let generation = if dir.join(name).exists() { Some(object(name)?) } else { None };
    ModelConfig::new(&config, generation.as_ref())
}
