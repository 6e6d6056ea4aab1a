//! The weights of a Llama model, packed for the kernels.

use super::checkpoint::Tensors;
use super::config::ModelConfig;
use super::error::EngineError;
use super::kernel::{Elements, Packed};

/// A linear map of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    Query,
    Key,
    Value,
    Output,
    Gate,
    Up,
    Down,
}

/// The modules that read the same input and are computed as one product, side by side.
pub(super) const GROUPS: [&[Module]; 4] =
    [&[Module::Query, Module::Key, Module::Value], &[Module::Output], &[Module::Gate, Module::Up], &[Module::Down]];

impl Module {
    /// The name within a layer, as checkpoints and adapters spell it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    pub(super) fn outputs(self, config: &ModelConfig) -> usize {
        match self {
            Self::Query => config.heads * config.head_dim,
            Self::Key | Self::Value => config.kv_heads * config.head_dim,
            Self::Output | Self::Down => config.hidden,
            Self::Gate | Self::Up => config.intermediate,
        }
    }

    pub(super) fn inputs(self, config: &ModelConfig) -> usize {
        match self {
            Self::Output => config.heads * config.head_dim,
            Self::Down => config.intermediate,
            _ => config.hidden,
        }
    }

    fn has_bias(self, config: &ModelConfig) -> bool {
        match self {
            Self::Gate | Self::Up | Self::Down => config.mlp_bias,
            _ => config.attention_bias,
        }
    }
}

/// The products of one group of modules.
pub(super) struct Linear {
    pub(super) weight: Packed,
    pub(super) bias: Option<Vec<f32>>,
}

pub(super) struct Layer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) mlp_norm: Vec<f32>,
    /// In the order of [`GROUPS`].
    pub(super) groups: [Linear; 4],
}

pub(super) struct Weights {
    /// `[vocabulary][hidden]`, in the precision of the file.
    pub(super) embeddings: Elements,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Vec<f32>,
    pub(super) head: Packed,
}

const EMBEDDINGS: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

impl Weights {
    pub(super) fn load(config: &ModelConfig, mut tensors: Tensors) -> Result<Self, EngineError> {
        let embeddings = tensors.take(EMBEDDINGS, &[config.vocabulary, config.hidden])?;
        let head = if config.tied {
            // Some tools write the shared matrix twice; a second one that differs would be ignored, so it is not skipped.
            if tensors.equal(HEAD, EMBEDDINGS) {
                tensors.skip(HEAD);
            }
            Packed::new(&[&embeddings], config.hidden)
        } else {
            Packed::new(&[&tensors.take(HEAD, &[config.vocabulary, config.hidden])?], config.hidden)
        };
        let mut layers = Vec::new();
        for index in 0..config.layers {
            layers.push(Layer::load(config, index, &mut tensors)?);
        }
        let norm = tensors.take_vector("model.norm.weight", config.hidden)?;
        tensors.finish()?;
        Ok(Self { embeddings, layers, norm, head })
    }

    /// Bytes that the weights take in memory.
    pub(super) fn bytes(&self) -> usize {
        let embeddings = match &self.embeddings {
            Elements::F32(v) => v.len() * 4,
            Elements::Bf16(v) => v.len() * 2,
        };
        let layers = self.layers.iter().flat_map(|l| &l.groups).map(|g| g.weight.bytes()).sum::<usize>();
        embeddings + layers + self.head.bytes()
    }
}

impl Layer {
    fn load(config: &ModelConfig, index: usize, tensors: &mut Tensors) -> Result<Self, EngineError> {
        let prefix = format!("model.layers.{index}.");
        // Old checkpoints store a table that follows from the configuration.
        tensors.skip(&format!("{prefix}self_attn.rotary_emb.inv_freq"));
        let attention_norm = tensors.take_vector(&format!("{prefix}input_layernorm.weight"), config.hidden)?;
        let mlp_norm = tensors.take_vector(&format!("{prefix}post_attention_layernorm.weight"), config.hidden)?;
        let mut group = |modules: &[Module]| -> Result<Linear, EngineError> {
            let mut weights = Vec::new();
            let mut biases = Vec::new();
            for module in modules {
                let name = format!("{prefix}{}", module.name());
                let (outputs, inputs) = (module.outputs(config), module.inputs(config));
                weights.push(tensors.take(&format!("{name}.weight"), &[outputs, inputs])?);
                if module.has_bias(config) {
                    biases.extend(tensors.take_vector(&format!("{name}.bias"), outputs)?);
                }
            }
            let weight = Packed::new(&weights.iter().collect::<Vec<_>>(), modules[0].inputs(config));
            Ok(Linear { weight, bias: (!biases.is_empty()).then_some(biases) })
        };
        let groups = [group(GROUPS[0])?, group(GROUPS[1])?, group(GROUPS[2])?, group(GROUPS[3])?];
        Ok(Self { attention_norm, mlp_norm, groups })
    }
}
