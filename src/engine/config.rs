//! `config.json` and `generation_config.json`, as transformers 4 and 5 write them, for the Llama architecture.

use super::error::EngineError;
use super::files::{Object, brief, positive};
use serde_json::Value;

/// A checked configuration. Sizes are at least 1 and at most 2^24; nothing here was compared with the weights yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelConfig {
    pub(super) hidden: usize,
    pub(super) intermediate: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head_dim: usize,
    pub(super) vocabulary: usize,
    /// Positions the model was made for.
    pub(super) context: usize,
    pub(super) epsilon: f32,
    pub(super) rope: Rope,
    pub(super) tied: bool,
    pub(super) attention_bias: bool,
    pub(super) mlp_bias: bool,
    /// Ids that end an answer; may be empty.
    pub(super) end: Vec<u32>,
}

/// Rotary positions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rope {
    pub(super) theta: f64,
    pub(super) scaling: RopeScaling,
}

/// How the rotary frequencies are stretched for a longer context.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RopeScaling {
    None,
    Linear { factor: f64 },
    Llama3 { factor: f64, low: f64, high: f64, original: f64 },
}

impl ModelConfig {
    pub(super) fn new(config: &Object, generation: Option<&Object>) -> Result<Self, EngineError> {
        check_architecture(config)?;
        let heads = config.required_size("num_attention_heads")?;
        let kv_heads = config.size("num_key_value_heads")?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            return Err(
                config.wrong("num_key_value_heads", format!("is {kv_heads}, which does not divide {heads} heads"))
            );
        }
        let hidden = config.required_size("hidden_size")?;
        let head_dim = match config.size("head_dim")? {
            Some(dim) => dim,
            None if hidden.is_multiple_of(heads) => hidden / heads,
            None => return Err(config.wrong("hidden_size", format!("is {hidden}, which {heads} heads do not divide"))),
        };
        if !head_dim.is_multiple_of(2) {
            return Err(config.wrong("head_dim", format!("is {head_dim}, expected an even number")));
        }
        let vocabulary = config.required_size("vocab_size")?;
        Ok(Self {
            hidden,
            intermediate: config.required_size("intermediate_size")?,
            layers: config.required_size("num_hidden_layers")?,
            heads,
            kv_heads,
            head_dim,
            vocabulary,
            context: config.required_size("max_position_embeddings")?,
            epsilon: config.positive("rms_norm_eps")?.unwrap_or(1e-6) as f32,
            rope: rope(config)?,
            tied: config.flag("tie_word_embeddings")?,
            attention_bias: config.flag("attention_bias")?,
            mlp_bias: config.flag("mlp_bias")?,
            end: end_ids(config, generation, vocabulary)?,
        })
    }
}

fn check_architecture(config: &Object) -> Result<(), EngineError> {
    let family = config.text("model_type")?.unwrap_or("an unnamed architecture");
    let named = config.get("architectures").and_then(|a| a.get(0)).and_then(Value::as_str);
    if family != "llama" || named.is_some_and(|name| name != "LlamaForCausalLM") {
        let name = brief(&Value::from(named.unwrap_or(family)));
        return Err(config.unsupported(
            format!("the architecture {name}"),
            "give a checkpoint of LlamaForCausalLM, or ask this model through a server",
        ));
    }
    if let Some(quantization) = config.get("quantization_config") {
        let method = quantization.get("quant_method").and_then(Value::as_str).unwrap_or("an unnamed method");
        return Err(config.unsupported(
            format!("quantization_config ({})", brief(&Value::from(method))),
            "give the checkpoint in f32, f16 or bf16",
        ));
    }
    match config.text("hidden_act")? {
        None | Some("silu" | "swish") => Ok(()),
        Some(other) => {
            let what = format!("hidden_act {}", brief(&Value::from(other)));
            Err(config.unsupported(what, "only silu is part of the Llama architecture"))
        }
    }
}

/// transformers 5 nests everything in `rope_parameters`; 4 has `rope_theta` at the top and the rest in `rope_scaling`.
fn rope(config: &Object) -> Result<Rope, EngineError> {
    let (key, parameters) = match (config.get("rope_parameters"), config.get("rope_scaling")) {
        (Some(p), _) => ("rope_parameters", Some(p)),
        (None, p) => ("rope_scaling", p),
    };
    if parameters.is_some_and(|p| !p.is_object()) {
        return Err(config.wrong(key, "is not an object"));
    }
    let inner = |name: &str| parameters.and_then(|p| p.get(name)).filter(|v| !v.is_null());
    let number = |name: &str| {
        let value = inner(name).ok_or_else(|| config.wrong(&format!("{key}.{name}"), "is missing"))?;
        positive(value).ok_or_else(|| {
            config.wrong(&format!("{key}.{name}"), format!("is {}, expected a number above 0", brief(value)))
        })
    };
    let theta = match inner("rope_theta") {
        Some(_) => number("rope_theta")?,
        None => config.positive("rope_theta")?.unwrap_or(10_000.0),
    };
    for partial in [inner("partial_rotary_factor"), config.get("partial_rotary_factor")].into_iter().flatten() {
        if partial.as_f64() != Some(1.0) {
            let what = format!("partial_rotary_factor {}", brief(partial));
            return Err(config.unsupported(what, "only whole heads are rotated here"));
        }
    }
    let kind = inner("rope_type").or_else(|| inner("type"));
    let scaling = match kind.map(|k| k.as_str().unwrap_or("a value that is no text")) {
        None | Some("default") => RopeScaling::None,
        Some("linear") => RopeScaling::Linear { factor: number("factor")? },
        Some("llama3") => {
            let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
            if low >= high {
                return Err(config.wrong(&format!("{key}.low_freq_factor"), "is not below high_freq_factor"));
            }
            let original = number("original_max_position_embeddings")?;
            RopeScaling::Llama3 { factor: number("factor")?, low, high, original }
        }
        Some(other) => {
            let what = format!("{key} of type {}", brief(&Value::from(other)));
            return Err(config.unsupported(what, "supported are default, linear and llama3"));
        }
    };
    Ok(Rope { theta, scaling })
}

/// One id or a list; `generation_config.json` wins, as in transformers' `generate`.
fn end_ids(config: &Object, generation: Option<&Object>, vocabulary: usize) -> Result<Vec<u32>, EngineError> {
    let key = "eos_token_id";
    let Some((file, value)) = generation.into_iter().chain([config]).find_map(|f| f.get(key).map(|v| (f, v))) else {
        return Ok(Vec::new());
    };
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let ids = list.iter().map(|v| v.as_u64().filter(|id| *id < vocabulary as u64).map(|id| id as u32));
    ids.collect::<Option<Vec<u32>>>().ok_or_else(|| {
        file.wrong(key, format!("is {}, expected ids below the vocabulary's {vocabulary}", brief(value)))
    })
}

/// The inverse frequency of each pair of dimensions, in f32 as transformers computes them.
pub(super) fn inverse_frequencies(rope: &Rope, head_dim: usize) -> Vec<f32> {
    let plain = (0..head_dim / 2).map(|i| (1.0 / rope.theta.powf(2.0 * i as f64 / head_dim as f64)) as f32);
    let scaled = |inverse: f32| match rope.scaling {
        RopeScaling::None => inverse,
        RopeScaling::Linear { factor } => inverse / factor as f32,
        // Long waves are slowed, short ones kept, those between blended (Llama 3.1's scaling).
        RopeScaling::Llama3 { factor, low, high, original } => {
            let (exact, wavelength) = (f64::from(inverse), std::f64::consts::TAU / f64::from(inverse));
            if wavelength > original / low {
                (exact / factor) as f32
            } else if wavelength < original / high {
                inverse
            } else {
                let share = (original / wavelength - low) / (high - low);
                ((1.0 - share) * exact / factor + share * exact) as f32
            }
        }
    };
    plain.map(scaled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(extra: &str) -> Result<ModelConfig, String> {
        let text = format!(
            r#"{{"model_type":"llama","hidden_size":32,"intermediate_size":64,"num_hidden_layers":2,
            "num_attention_heads":4,"vocab_size":100,"max_position_embeddings":128{extra}}}"#
        );
        let object = Object::parse(Path::new("config.json"), text.as_bytes()).unwrap();
        ModelConfig::new(&object, None).map_err(|e| e.to_string())
    }

    #[test]
    fn both_spellings_of_rope_mean_the_same() {
        let scaling =
            r#""factor":4.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":32"#;
        let new = parse(&format!(r#","rope_parameters":{{"rope_type":"llama3","rope_theta":5000.0,{scaling}}}"#));
        let old = parse(&format!(r#","rope_theta":5000.0,"rope_scaling":{{"type":"llama3",{scaling}}}"#));
        assert_eq!(new.clone().unwrap(), old.unwrap());
        assert_eq!(new.unwrap().rope.theta, 5000.0);
        assert_eq!(parse("").unwrap().rope, Rope { theta: 10000.0, scaling: RopeScaling::None });
    }

    #[test]
    fn end_ids_are_one_or_a_list_and_generation_wins() {
        let config = |text: &str| Object::parse(Path::new("config.json"), text.as_bytes()).unwrap();
        let (one, list) = (config(r#"{"eos_token_id":3}"#), config(r#"{"eos_token_id":[1,2]}"#));
        assert_eq!(end_ids(&one, None, 10).unwrap(), [3]);
        assert_eq!(end_ids(&one, Some(&list), 10).unwrap(), [1, 2]);
        assert_eq!(end_ids(&one, Some(&config("{}")), 10).unwrap(), [3]);
        assert_eq!(end_ids(&config("{}"), None, 10).unwrap(), [0u32; 0]);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (extra, expected) in [
            (
                r#","architectures":["MistralForCausalLM"]"#,
                "config.json: the architecture \"MistralForCausalLM\" is not supported",
            ),
            (r#","quantization_config":{"quant_method":"gptq"}"#, "quantization_config (\"gptq\") is not supported"),
            (r#","hidden_act":"gelu""#, "hidden_act \"gelu\" is not supported"),
            (r#","rope_scaling":{"rope_type":"yarn","factor":2.0}"#, "rope_scaling of type \"yarn\" is not supported"),
            (r#","rope_parameters":{"partial_rotary_factor":0.5}"#, "partial_rotary_factor 0.5 is not supported"),
            (r#","rope_scaling":{"rope_type":"linear"}"#, "`rope_scaling.factor` is missing"),
            (r#","rope_scaling":7"#, "`rope_scaling` is not an object"),
            (r#","num_key_value_heads":3"#, "`num_key_value_heads` is 3, which does not divide 4 heads"),
            (r#","num_key_value_heads":0"#, "`num_key_value_heads` is 0, expected an integer from 1"),
            (r#","head_dim":7"#, "`head_dim` is 7, expected an even number"),
            (r#","eos_token_id":100"#, "`eos_token_id` is 100, expected ids below the vocabulary's 100"),
            (r#","rms_norm_eps":-1"#, "`rms_norm_eps` is -1, expected a number above 0"),
            (r#","tie_word_embeddings":"yes""#, "`tie_word_embeddings` is \"yes\", expected true or false"),
        ] {
            let message = parse(extra).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn llama3_scaling_has_three_bands() {
        let scaling = RopeScaling::Llama3 { factor: 4.0, low: 1.0, high: 4.0, original: 32.0 };
        let plain = inverse_frequencies(&Rope { theta: 100.0, scaling: RopeScaling::None }, 8);
        let scaled = inverse_frequencies(&Rope { theta: 100.0, scaling }, 8);
        assert_eq!(plain[0], scaled[0]);
        assert!(plain[1] > scaled[1] && scaled[1] > plain[1] / 4.0);
        assert_eq!(plain[3] / 4.0, scaled[3]);
    }
}
