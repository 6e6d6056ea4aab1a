//! What can be wrong with a checkpoint or an adapter, and what can be wrong with one request.

use std::path::PathBuf;

/// Why a checkpoint, a tokenizer or an adapter cannot be used. Every variant names the file; messages are fragments that fit
/// after "cannot load the model: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// There is no such file, or it is no regular file.
    #[error("{}: not found; {help}", path.display())]
    NotFound {
        /// The file that was looked for.
        path: PathBuf,
        /// What to do.
        help: &'static str,
    },
    /// The file is larger than any honest file of its kind.
    #[error("{}: {size} bytes, more than the {limit} that such a file may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The most that is accepted, in bytes.
        limit: u64,
    },
    /// The file is not the JSON that it should be.
    #[error("{}: not valid: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A setting has a value that cannot be.
    #[error("{}: `{key}` {problem}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The setting, as the file spells it.
        key: String,
        /// What is wrong with its value, following the setting's name.
        problem: String,
    },
    /// The file asks for something that this engine does not do. It is refused rather than half applied.
    #[error("{}: {what} is not supported; {help}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it asks for, by name.
        what: String,
        /// What to do.
        help: &'static str,
    },
    /// The container of the weights is damaged or lies about itself.
    #[error("{}: not a sound safetensors file: {problem}", path.display())]
    Container {
        /// The weight file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A tensor that the configuration calls for is not there.
    #[error("{}: tensor `{tensor}` is missing", path.display())]
    MissingTensor {
        /// The weight file, or the folder of a checkpoint in parts.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor that nothing would use. Ignoring it would run another model than the one in the file.
    #[error("{}: tensor `{tensor}` has no place in this model", path.display())]
    UnexpectedTensor {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor's shape is not the one that the configuration says.
    #[error("{}: tensor `{tensor}` has shape {found:?}, expected {expected:?}", path.display())]
    WrongShape {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that follows from the configuration.
        expected: Vec<usize>,
    },
    /// A tensor is of a number type that this engine does not compute with.
    #[error("{}: tensor `{tensor}` is {dtype}; supported are F32, F16 and BF16", path.display())]
    WrongDtype {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The type as the file spells it.
        dtype: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error("{}: tensor `{tensor}` holds a value that is not finite", path.display())]
    NotFinite {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// The tokenizer cannot be used.
    #[error("{}: not a usable tokenizer: {problem}", path.display())]
    Tokenizer {
        /// The tokenizer's file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The chat template cannot be used.
    #[error("{}: not a usable chat template: {problem}", path.display())]
    Template {
        /// The file that holds the template.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An adapter's rank is not what its configuration says, or cannot be.
    #[error("{}: module `{module}`: {problem}", path.display())]
    Adapter {
        /// The adapter's file.
        path: PathBuf,
        /// The module that the adapter changes.
        module: String,
        /// What is wrong.
        problem: String,
    },
}

/// Why one request cannot be answered. The engine and the other requests are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no token to start from.
    #[error("the prompt has no tokens")]
    EmptyPrompt,
    /// No token may be generated.
    #[error("max_new_tokens is 0")]
    NothingAsked,
    /// A token id that the model does not have.
    #[error("token id {id} is outside the vocabulary of {vocabulary}")]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// How many ids there are.
        vocabulary: usize,
    },
    /// The prompt and the answer do not fit into the model's context together.
    #[error("{prompt} prompt tokens and up to {new} new ones exceed the model's context of {context}")]
    ContextExceeded {
        /// Tokens of the prompt.
        prompt: usize,
        /// Most tokens to generate.
        new: usize,
        /// The model's context in tokens.
        context: usize,
    },
    /// The request needs more key and value memory than the engine may take, even alone.
    #[error("{needed} bytes of key and value memory are needed and {budget} are allowed")]
    MemoryExceeded {
        /// Bytes that the request needs.
        needed: usize,
        /// Bytes that were allowed.
        budget: usize,
    },
    /// An adapter that this engine has not loaded.
    #[error("the adapter was not loaded into this engine")]
    UnknownAdapter,
    /// The messages cannot be turned into a prompt.
    #[error("the chat template failed: {0}")]
    Template(String),
    /// The checkpoint has no chat template, and messages need one.
    #[error("the checkpoint has no chat template; give token ids or text instead of messages")]
    NoTemplate,
    /// The text cannot be tokenized, or the ids cannot be turned into text.
    #[error("the tokenizer failed: {0}")]
    Tokenizer(String),
    /// The model computed NaN or an infinity.
    #[error("the model's logits are not finite at position {position}")]
    NotFinite {
        /// The position whose successor was to be chosen.
        position: usize,
    },
}
